# Paths are relative to tests/CMakeLists.txt, which includes this list.
fovea_test(core_test
  core/cast_test.cc
  core/context_test.cc
  core/dtype_test.cc
  core/params_test.cc
  core/renamed_source_test.cc
  core/shape_test.cc
  core/tensor_test.cc
  core/threads_test.cc
  core/workspace_test.cc)
fovea_test(thread_pool_test core/thread_pool_test.cc LABEL threads)
