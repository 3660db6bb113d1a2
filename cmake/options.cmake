# What can be chosen at configure time, and the flags that follow from it.
option(BUILD_SHARED_LIBS "Build the library shared" OFF)
option(FOVEA_BUILD_TESTS "Build tests and oracle_test" ${PROJECT_IS_TOP_LEVEL})
option(FOVEA_BUILD_EXAMPLES "Build the fovea tool and the examples" ${PROJECT_IS_TOP_LEVEL})
option(FOVEA_BUILD_BENCH "Build the benchmarks (needs Google Benchmark)" OFF)
option(FOVEA_INSTALL "Generate install rules" ${PROJECT_IS_TOP_LEVEL})
option(FOVEA_WERROR "Treat warnings as errors" OFF)
set(FOVEA_EIGEN AUTO CACHE STRING "eigen backend: AUTO, ON or OFF")
set(FOVEA_ONEDNN AUTO CACHE STRING "onednn backend: AUTO, ON or OFF")
set(FOVEA_LIBJPEG AUTO CACHE STRING "JPEG by libjpeg-turbo: AUTO, ON or OFF (then stb_image)")
set(FOVEA_LIBPNG AUTO CACHE STRING "PNG by libpng: AUTO, ON or OFF (then stb_image)")
set(FOVEA_LIBWEBP AUTO CACHE STRING "WebP by libwebp: AUTO, ON or OFF (then WebP is refused)")
set(FOVEA_SANITIZE "" CACHE STRING "Sanitizers for everything: address,undefined or thread")
set(FOVEA_MAX_ISA "avx512" CACHE STRING "Highest instruction set built in: generic, avx2 or avx512")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES AND PROJECT_IS_TOP_LEVEL)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

# Inherited by every target below; a parent project's choice of visibility stands.
if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_CXX_EXTENSIONS OFF)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
endif()

add_library(fovea_warnings INTERFACE)
target_compile_options(fovea_warnings INTERFACE
  $<BUILD_INTERFACE:-Wall;-Wextra;-Wshadow;-Wconversion;-Wno-sign-conversion;-ffp-contract=off>)
# GCC 12 at -O3 mistakes its own string concatenation for overlapping copies (GCC bug 105651).
target_compile_options(fovea_warnings INTERFACE
  $<BUILD_INTERFACE:$<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>>)
if(FOVEA_WERROR)
  target_compile_options(fovea_warnings INTERFACE $<BUILD_INTERFACE:-Werror>)
endif()
if(FOVEA_SANITIZE)
  add_compile_options(-fsanitize=${FOVEA_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${FOVEA_SANITIZE})
  if(FOVEA_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=all)
  endif()
endif()
