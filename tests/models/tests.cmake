# CMAKE_CURRENT_LIST_DIR is this folder: the list is included by tests/CMakeLists.txt.
fovea_test(registry_test ${CMAKE_CURRENT_LIST_DIR}/registry_test.cc)
fovea_test(model_args_test ${CMAKE_CURRENT_LIST_DIR}/model_args_test.cc)

# Properties of whole networks, over the oracles' tiny cases.
fovea_test(determinism_test ${CMAKE_CURRENT_LIST_DIR}/determinism_test.cc LABEL threads)
target_link_libraries(determinism_test PRIVATE oracle_case)
fovea_test(concurrency_test ${CMAKE_CURRENT_LIST_DIR}/concurrency_test.cc LABEL threads)
target_link_libraries(concurrency_test PRIVATE oracle_case)
if(NOT FOVEA_SANITIZE)  # sanitizers bring an allocator of their own
  fovea_test(allocation_test ${CMAKE_CURRENT_LIST_DIR}/allocation_test.cc counting_allocator.cc)
  target_link_libraries(allocation_test PRIVATE oracle_case)
endif()

fovea_test(buffers_test ${CMAKE_CURRENT_LIST_DIR}/buffers_test.cc)
target_link_libraries(buffers_test PRIVATE oracle_case)
fovea_test(hostile_args_test ${CMAKE_CURRENT_LIST_DIR}/hostile_args_test.cc)
target_link_libraries(hostile_args_test PRIVATE oracle_case)
if(NOT FOVEA_SANITIZE)  # sanitizers reserve address space of their own
  target_compile_definitions(hostile_args_test PRIVATE FOVEA_LIMIT_MEMORY)
endif()

# Families: names, arguments, sizes.
fovea_test(vit_test ${CMAKE_CURRENT_LIST_DIR}/vit_test.cc)
fovea_test(swin_test ${CMAKE_CURRENT_LIST_DIR}/swin_test.cc)
fovea_test(deit_pvt_test ${CMAKE_CURRENT_LIST_DIR}/deit_pvt_test.cc)
fovea_test(vssm_test ${CMAKE_CURRENT_LIST_DIR}/vssm_test.cc)
fovea_test(swin_hosts_test ${CMAKE_CURRENT_LIST_DIR}/swin_hosts_test.cc)
fovea_test(vig_test ${CMAKE_CURRENT_LIST_DIR}/vig_test.cc)
fovea_test(state_space_networks_test ${CMAKE_CURRENT_LIST_DIR}/state_space_networks_test.cc)
fovea_test(families_b_test ${CMAKE_CURRENT_LIST_DIR}/families_b_test.cc)
fovea_test(renames_b_test ${CMAKE_CURRENT_LIST_DIR}/renames_b_test.cc)
