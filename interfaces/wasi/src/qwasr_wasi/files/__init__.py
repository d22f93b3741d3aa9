"""Files for guests: folders of the host that are mounted, and nothing above or beside them.

============ ==========================================================================================
`mounts`     which folders guests are given: `Mount`, and `Mounts`, which owns them all
`beneath`    a guest's path, resolved inside its folder, whatever happens to the folder meanwhile
`opening`    opening what a path leads to, or making it
`operations` what the other functions of descriptors do, each a function that blocks
`threads`    where that blocks: `FileThreads`, and `Handle`, an open file that several hold
`listing`    the names in a folder
`streams`    a file's bytes as source and sink of a stream
`places`     how many files guests may have open
`ledger`     how much a folder holds, and how much it may
`codes`      the operating system's errors as the WIT's, and its metadata as the WIT's records
============ ==========================================================================================

`qwasr_wasi.filesystem` is the WIT on top of it.
"""
