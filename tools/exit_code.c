// Gives a C program's exit code to the host as it is. The preview 1 adapter knows only "ok" and "error", so the program
// is compiled with `main` and `exit` under other names (tools/languages.py), and these here take their places.
#include <stdint.h>

__attribute__((import_module("wasi:cli/exit@0.2.12"), import_name("exit-with-code"))) void exit_with_code(int32_t code);
void __wasm_call_dtors(void);  // what atexit registered, and the buffers of stdio
int program_main(int argc, char **argv);

_Noreturn void program_exit(int code) {
  __wasm_call_dtors();
  exit_with_code(code & 0xff);
  __builtin_trap();
}

int main(int argc, char **argv) {
  program_exit(program_main(argc, argv));
}
