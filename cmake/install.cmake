# Installation: the library, its headers, the fovea tool, a CMake package and a pkg-config file. All
# of it may be moved to another place afterwards.
include(CMakePackageConfigHelpers)
set(FOVEA_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/fovea)

install(TARGETS fovea EXPORT fovea-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/fovea ${PROJECT_BINARY_DIR}/include/fovea
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

if(TARGET fovea_tool)
  file(RELATIVE_PATH FOVEA_BIN_TO_LIB /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})
  set_target_properties(fovea_tool PROPERTIES INSTALL_RPATH "$ORIGIN/${FOVEA_BIN_TO_LIB}")
endif()

# What a program that links the static library links too; a shared library brings its own.
if(BUILD_SHARED_LIBS)
  set(FOVEA_STATIC FALSE)
else()
  set(FOVEA_STATIC TRUE)
endif()

install(EXPORT fovea-targets NAMESPACE fovea:: DESTINATION ${FOVEA_CMAKE_DIR})
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/fovea-config.cmake.in ${PROJECT_BINARY_DIR}/fovea-config.cmake
  INSTALL_DESTINATION ${FOVEA_CMAKE_DIR} NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/fovea-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/fovea-config.cmake ${PROJECT_BINARY_DIR}/fovea-config-version.cmake
  DESTINATION ${FOVEA_CMAKE_DIR})
if(FOVEA_STATIC)
  install(FILES ${PROJECT_SOURCE_DIR}/cmake/Findonednn.cmake
                ${PROJECT_SOURCE_DIR}/cmake/Findwebp.cmake DESTINATION ${FOVEA_CMAKE_DIR})
endif()

# pkg-config is told the same. It gives Libs and Requires to everybody, so that `pkg-config --libs`
# links with the library that was installed, be it static or shared.
set(FOVEA_PC_LIBS "")
set(FOVEA_PC_REQUIRES "")
if(FOVEA_STATIC)
  set(FOVEA_PC_LIBS "-pthread")
  if(FOVEA_HAVE_ONEDNN)
    if(onednn_OPENMP_LIBRARY)
      string(PREPEND FOVEA_PC_LIBS "-l:libgomp.so.1 ")
    endif()
    string(PREPEND FOVEA_PC_LIBS "-ldnnl ")
  endif()
  if(FOVEA_HAVE_LIBJPEG)
    list(APPEND FOVEA_PC_REQUIRES libjpeg)
  endif()
  if(FOVEA_HAVE_LIBPNG)
    list(APPEND FOVEA_PC_REQUIRES libpng)
  endif()
  if(FOVEA_HAVE_LIBWEBP)
    list(APPEND FOVEA_PC_REQUIRES libwebp)
  endif()
  list(JOIN FOVEA_PC_REQUIRES ", " FOVEA_PC_REQUIRES)
endif()
file(RELATIVE_PATH FOVEA_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" FOVEA_PC_TO_PREFIX ${FOVEA_PC_TO_PREFIX})
configure_file(${PROJECT_SOURCE_DIR}/cmake/fovea.pc.in ${PROJECT_BINARY_DIR}/fovea.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/fovea.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
