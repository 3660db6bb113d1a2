# Finds libwebp, whose CMake package distributions do not all ship. Defines webp::webp.
find_path(webp_INCLUDE_DIR webp/decode.h)
find_library(webp_LIBRARY webp)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(webp DEFAULT_MSG webp_LIBRARY webp_INCLUDE_DIR)
mark_as_advanced(webp_INCLUDE_DIR webp_LIBRARY)
if(webp_FOUND AND NOT TARGET webp::webp)
  add_library(webp::webp UNKNOWN IMPORTED)
  set_target_properties(webp::webp PROPERTIES
    IMPORTED_LOCATION "${webp_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${webp_INCLUDE_DIR}")
endif()
