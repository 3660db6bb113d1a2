# What the tree promises as a whole: its layers, its symbols, its form, and that others can use it.
set(package ${CMAKE_CURRENT_LIST_DIR})
set(scratch ${CMAKE_CURRENT_BINARY_DIR}/package)

function(fovea_package_test name)
  add_test(NAME package.${name} COMMAND bash ${package}/${name}.sh ${ARGN})
  set_tests_properties(package.${name} PROPERTIES LABELS package TIMEOUT 1200)
endfunction()

fovea_package_test(layers ${PROJECT_SOURCE_DIR})
fovea_package_test(headers ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR} ${CMAKE_CXX_COMPILER})
fovea_package_test(symbols ${PROJECT_BINARY_DIR})
fovea_package_test(format ${PROJECT_SOURCE_DIR})
set_tests_properties(package.format PROPERTIES SKIP_RETURN_CODE 77)
fovea_package_test(subdirectory ${PROJECT_SOURCE_DIR} ${scratch}/subdirectory ${CMAKE_CXX_COMPILER}
                   ${CMAKE_CXX_COMPILER_LAUNCHER})
set_tests_properties(package.subdirectory PROPERTIES PROCESSORS 2)
if(FOVEA_INSTALL)
  fovea_package_test(installed ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR} ${scratch}/installed
                     ${CMAKE_CXX_COMPILER})
endif()

# The programs that the README shows do what it says.
if(FOVEA_BUILD_EXAMPLES)
  set(examples ${PROJECT_SOURCE_DIR}/examples)
  add_test(NAME examples.classify
           COMMAND classify ${examples}/models/swin ${examples}/images/ship.jpg)
  set_tests_properties(examples.classify PROPERTIES PASS_REGULAR_EXPRESSION "^ *[0-9.]+ %  ship")
  add_test(NAME examples.features COMMAND features ${examples}/models/convnext
           ${examples}/images/ship.jpg ${scratch}/pyramid.safetensors)
  set_tests_properties(examples.features PROPERTIES
                       PASS_REGULAR_EXPRESSION "\\[1, 64, 16, 16\\].*\\[1, 224, 2, 2\\]")
  add_test(NAME examples.custom_backbone COMMAND custom_backbone)
  file(MAKE_DIRECTORY ${scratch})
endif()
