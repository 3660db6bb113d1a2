fovea_bench(blocks_bench blocks/blocks_bench.cc blocks/growth_bench.cc)
