# fovea_isa_sources and FOVEA_ISAS come from kernels/CMakeLists.txt.
set(math_probes "")
fovea_isa_sources(math_probes kernels/math_probe_)
fovea_test(kernels_test
  kernels/attention_test.cc
  kernels/dwconv_test.cc
  kernels/eltwise_test.cc
  kernels/features_test.cc
  kernels/gemm_test.cc
  kernels/math_test.cc
  kernels/norm_test.cc
  kernels/pool_test.cc
  kernels/probe_test.cc
  kernels/resize_test.cc
  kernels/scan_test.cc
  kernels/softmax_test.cc
  kernels/table_test.cc
  ${math_probes})
target_compile_definitions(kernels_test PRIVATE ${FOVEA_ISA_DEFINITIONS})

add_test(NAME kernels_export_no_shared_weak_symbols
  COMMAND ${CMAKE_COMMAND} -DNM=${CMAKE_NM} "-DOBJECTS=$<JOIN:$<TARGET_OBJECTS:fovea_kernels>,$<COMMA>>"
    -P ${CMAKE_CURRENT_SOURCE_DIR}/kernels/weak_symbols.cmake)
