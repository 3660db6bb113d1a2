# CMAKE_CURRENT_LIST_DIR is this folder: the list is included by tests/CMakeLists.txt.
foreach(subject activation agent_attention attention conv2d patch_merging position_embedding rep_norm
        selective_scan simplified_linear_attention squeeze_excite window_attention)
foreach(subject activation agent_attention attention conv2d
        position_embedding rep_norm simplified_linear_attention window_attention)
foreach(subject activation agent_attention attention conv2d linear_attention
        position_embedding rep_norm simplified_linear_attention window_attention
        windowed_mixing)
  fovea_test(nn_${subject}_test ${CMAKE_CURRENT_LIST_DIR}/${subject}_test.cc)
endforeach()
