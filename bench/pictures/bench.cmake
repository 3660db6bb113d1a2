# The pictures are files that the programs compress with the libraries themselves.
if(FOVEA_HAVE_LIBJPEG AND FOVEA_HAVE_LIBPNG)
  fovea_bench(decode_bench pictures/decode_bench.cc)
  target_link_libraries(decode_bench PRIVATE JPEG::JPEG PNG::PNG)
endif()
if(FOVEA_HAVE_LIBJPEG)
  fovea_bench(preprocess_bench pictures/preprocess_bench.cc)
  target_link_libraries(preprocess_bench PRIVATE JPEG::JPEG)
endif()

# For bench/peers/pictures.py.
add_library(picture_peer MODULE pictures/picture_peer.cc)
target_link_libraries(picture_peer PRIVATE fovea fovea_warnings)
add_dependencies(benchmarks picture_peer)
