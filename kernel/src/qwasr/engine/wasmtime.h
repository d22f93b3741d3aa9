/* What this package uses of wasmtime's C API, every pointer an integer (see `_capi.py`).
 *
 * `python -m tools.abi` writes `_abi.py` from this file: after a change here, run it.
 */

uintptr_t wasmtime_store_new(uintptr_t engine, uintptr_t data, uintptr_t finalizer);
uintptr_t wasmtime_store_context(uintptr_t store);
void wasmtime_store_delete(uintptr_t store);
void wasmtime_store_limiter(uintptr_t store, int64_t memory, int64_t table_elements, int64_t instances, int64_t tables,
                            int64_t memories);
void wasmtime_context_set_epoch_deadline(uintptr_t context, uint64_t ticks);
uintptr_t wasmtime_context_epoch_deadline_async_yield_and_update(uintptr_t context, uint64_t ticks);
void wasmtime_engine_increment_epoch(uintptr_t engine);
uintptr_t wasmtime_context_set_fuel(uintptr_t context, uint64_t fuel);

uintptr_t wasmtime_component_linker_new(uintptr_t engine);
void wasmtime_component_linker_delete(uintptr_t linker);
uintptr_t wasmtime_component_linker_root(uintptr_t linker);
uintptr_t wasmtime_component_linker_define_unknown_imports_as_traps(uintptr_t linker, uintptr_t component);
uintptr_t wasmtime_component_linker_instance_add_instance(uintptr_t parent, const char *name, size_t length,
                                                          uintptr_t *child);
uintptr_t wasmtime_component_linker_instance_add_func(uintptr_t parent, const char *name, size_t length,
    uintptr_t callback, uintptr_t data, uintptr_t finalizer);
uintptr_t wasmtime_component_linker_instance_add_func_async(uintptr_t parent, const char *name, size_t length,
    uintptr_t callback, uintptr_t data, uintptr_t finalizer);
uintptr_t wasmtime_component_linker_instance_add_resource(uintptr_t parent, const char *name, size_t length,
    uintptr_t type, uintptr_t destructor, uintptr_t data, uintptr_t finalizer);
void wasmtime_component_linker_instance_delete(uintptr_t instance);

uintptr_t wasmtime_component_linker_instantiate_async(uintptr_t linker, uintptr_t context, uintptr_t component,
                                                      uintptr_t instance, uintptr_t error);
bool wasmtime_component_instance_get_func(uintptr_t instance, uintptr_t context, uintptr_t index, uintptr_t func);
uintptr_t wasmtime_component_func_call_async(uintptr_t func, uintptr_t context, uintptr_t args, size_t args_count,
                                             uintptr_t results, size_t results_count, uintptr_t error);
bool wasmtime_call_future_poll(uintptr_t future);
void wasmtime_call_future_delete(uintptr_t future);

uintptr_t wasmtime_error_new(const char *message);
void wasmtime_error_message(uintptr_t error, uintptr_t out);
void wasmtime_error_delete(uintptr_t error);

void wasm_byte_vec_new(uintptr_t out, size_t size, const char *data);
void wasm_byte_vec_delete(uintptr_t vector);
uintptr_t wasmtime_component_val_new(uintptr_t value);
void wasmtime_component_val_delete(uintptr_t value);
void wasmtime_component_val_clone(uintptr_t source, uintptr_t target);
void wasmtime_component_vallist_new_uninit(uintptr_t out, size_t size);
void wasmtime_component_vallist_delete(uintptr_t list);
void wasmtime_component_valtuple_new_uninit(uintptr_t out, size_t size);
void wasmtime_component_valtuple_delete(uintptr_t tuple);
void wasmtime_component_valrecord_new_uninit(uintptr_t out, size_t size);
void wasmtime_component_valrecord_delete(uintptr_t record);
void wasmtime_component_valflags_new_uninit(uintptr_t out, size_t size);

uintptr_t wasmtime_component_resource_type_new_host(uint32_t type);
void wasmtime_component_resource_type_delete(uintptr_t type);
uintptr_t wasmtime_component_resource_host_new(bool owned, uint32_t rep, uint32_t type);
uintptr_t wasmtime_component_resource_host_to_any(uintptr_t context, uintptr_t host, uintptr_t out);
uint32_t wasmtime_component_resource_host_rep(uintptr_t host);
void wasmtime_component_resource_host_delete(uintptr_t host);
uintptr_t wasmtime_component_resource_any_to_host(uintptr_t context, uintptr_t any, uintptr_t out);
uintptr_t wasmtime_component_resource_any_clone(uintptr_t any);
void wasmtime_component_resource_any_delete(uintptr_t any);

void wasmtime_config_async_stack_size_set(uintptr_t config, uint64_t bytes);
void wasmtime_config_concurrency_support_set(uintptr_t config, bool enable);
void wasmtime_config_wasm_component_model_async_set(uintptr_t config, bool enable);
void wasmtime_pooling_allocation_strategy_set(uintptr_t config, uintptr_t pool);
uintptr_t wasmtime_pooling_allocation_config_new(void);
void wasmtime_pooling_allocation_config_delete(uintptr_t pool);
void wasmtime_pooling_allocation_config_linear_memory_keep_resident_set(uintptr_t pool, size_t bytes);
void wasmtime_pooling_allocation_config_table_keep_resident_set(uintptr_t pool, size_t bytes);
void wasmtime_pooling_allocation_config_total_component_instances_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_total_core_instances_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_total_memories_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_total_tables_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_total_stacks_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_total_gc_heaps_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_max_core_instances_per_component_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_max_memories_per_component_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_max_tables_per_component_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_max_memories_per_module_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_max_tables_per_module_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_max_memory_size_set(uintptr_t pool, size_t bytes);
void wasmtime_pooling_allocation_config_max_unused_warm_slots_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_table_elements_set(uintptr_t pool, size_t count);
void wasmtime_pooling_allocation_config_max_core_instance_size_set(uintptr_t pool, size_t bytes);
void wasmtime_pooling_allocation_config_max_component_instance_size_set(uintptr_t pool, size_t bytes);

long labs(long);
