fovea_bench(models_bench models/models_bench.cc)
