# Finds oneDNN. Defines onednn::onednn. Its own CMake package is not used: as Debian builds it, that
# package insists on the OpenCL development files, which the CPU engine does not need.
find_path(onednn_INCLUDE_DIR oneapi/dnnl/dnnl.hpp)
find_library(onednn_LIBRARY dnnl)
if(onednn_INCLUDE_DIR AND EXISTS ${onednn_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h)
  set(onednn_VERSION "")
  foreach(part MAJOR MINOR PATCH)
    file(STRINGS ${onednn_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h line
         REGEX "#define DNNL_VERSION_${part} +[0-9]+")
    string(REGEX REPLACE ".* " "" line "${line}")
    list(APPEND onednn_VERSION ${line})
  endforeach()
  list(JOIN onednn_VERSION . onednn_VERSION)
endif()
# Where oneDNN computes with GNU's OpenMP, the backend tells that how many threads to use.
find_library(onednn_OPENMP_LIBRARY NAMES gomp libgomp.so.1
             HINTS ${CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES})
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(onednn
  REQUIRED_VARS onednn_LIBRARY onednn_INCLUDE_DIR VERSION_VAR onednn_VERSION)
mark_as_advanced(onednn_INCLUDE_DIR onednn_LIBRARY onednn_OPENMP_LIBRARY)
if(onednn_FOUND AND NOT TARGET onednn::onednn)
  add_library(onednn::onednn UNKNOWN IMPORTED)
  set_target_properties(onednn::onednn PROPERTIES
    IMPORTED_LOCATION "${onednn_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${onednn_INCLUDE_DIR}")
  if(onednn_OPENMP_LIBRARY)
    set_target_properties(onednn::onednn PROPERTIES
      INTERFACE_LINK_LIBRARIES "${onednn_OPENMP_LIBRARY}")
  endif()
endif()
