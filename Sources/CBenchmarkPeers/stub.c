int ipc_bench_stub;
