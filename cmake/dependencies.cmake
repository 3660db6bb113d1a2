# Libraries that the build finds; each optional one says in the summary what it decides.
list(APPEND CMAKE_MODULE_PATH ${PROJECT_SOURCE_DIR}/cmake)
find_package(Threads REQUIRED)
find_package(nlohmann_json 3.10 REQUIRED)

# fovea_find(<variable> <found-variable> <package> [args...]): AUTO looks, ON insists, OFF does not.
macro(fovea_find choice found package)
  set(${found} FALSE)
  if(${choice} STREQUAL "ON")
    find_package(${package} ${ARGN} REQUIRED)
  elseif(NOT ${choice} STREQUAL "OFF")
    find_package(${package} ${ARGN} QUIET)
  endif()
  if(NOT ${choice} STREQUAL "OFF" AND ${package}_FOUND)
    set(${found} TRUE)
  endif()
endmacro()

fovea_find(FOVEA_EIGEN FOVEA_HAVE_EIGEN Eigen3 3.3 NO_MODULE)
fovea_find(FOVEA_ONEDNN FOVEA_HAVE_ONEDNN onednn)
fovea_find(FOVEA_LIBJPEG FOVEA_HAVE_LIBJPEG JPEG)
fovea_find(FOVEA_LIBPNG FOVEA_HAVE_LIBPNG PNG)
fovea_find(FOVEA_LIBWEBP FOVEA_HAVE_LIBWEBP webp)
find_path(FOVEA_STB_INCLUDE_DIR stb_image.h PATH_SUFFIXES stb)
if(FOVEA_STB_INCLUDE_DIR)
  set(FOVEA_HAVE_STB TRUE)
elseif(NOT (FOVEA_HAVE_LIBJPEG AND FOVEA_HAVE_LIBPNG))
  message(FATAL_ERROR "Fovea needs libjpeg and libpng, or stb_image.h for what is missing of them.")
endif()
message(STATUS "Fovea: eigen backend ${FOVEA_HAVE_EIGEN}, onednn backend ${FOVEA_HAVE_ONEDNN}, "
               "libjpeg ${FOVEA_HAVE_LIBJPEG}, libpng ${FOVEA_HAVE_LIBPNG}, "
               "libwebp ${FOVEA_HAVE_LIBWEBP}, stb ${FOVEA_STB_INCLUDE_DIR}")
