# Every kernels.inc there is: a list that is not known here cannot be left out.
file(GLOB lists RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS
     ${PROJECT_SOURCE_DIR}/kernels/*/kernels.inc)
set(includes "")
foreach(list ${lists})
  string(APPEND includes "#include \"${list}\"\n")
endforeach()
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/bench/all_kernels.inc CONTENT "${includes}")

fovea_bench(kernels_bench
  kernels/attention_bench.cc
  kernels/dwconv_bench.cc
  kernels/eltwise_bench.cc
  kernels/features_bench.cc
  kernels/gemm_bench.cc
  kernels/kernels_bench.cc
  kernels/norm_bench.cc
  kernels/pool_bench.cc
  kernels/probe_bench.cc
  kernels/resize_bench.cc
  kernels/scan_bench.cc
  kernels/softmax_bench.cc)
target_compile_definitions(kernels_bench PRIVATE ${FOVEA_ISA_DEFINITIONS})
target_include_directories(kernels_bench PRIVATE ${PROJECT_BINARY_DIR}/bench)
