if(FOVEA_BUILD_EXAMPLES)
  fovea_test(cli_test
    cli/bad_input_test.cc
    cli/benchmark_test.cc
    cli/checkpoint_tools_test.cc
    cli/cli_test.cc
    cli/tool.cc)
  add_dependencies(cli_test fovea_tool)
  target_compile_definitions(cli_test PRIVATE FOVEA_TOOL="$<TARGET_FILE:fovea_tool>")

  fovea_test(picture_reader_test
    cli/picture_reader_test.cc
    ../examples/fovea/common.cc
    ../examples/fovea/pictures.cc
    LABEL threads)
  target_link_libraries(picture_reader_test PRIVATE CLI11::CLI11)
endif()
