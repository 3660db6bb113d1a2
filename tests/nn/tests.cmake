# CMAKE_CURRENT_LIST_DIR is this folder: the list is included by tests/CMakeLists.txt.
foreach(subject activation agent_attention attention conv2d gated_attention linear_attention patch_merging
        position_embedding rank_augmented_attention rep_norm row_strips selective_scan simplified_linear_attention
        small_blocks squeeze_excite state_space window_attention windowed_mixing)
  fovea_test(nn_${subject}_test ${CMAKE_CURRENT_LIST_DIR}/${subject}_test.cc)
endforeach()
