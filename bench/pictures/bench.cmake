# The programs compress their pictures with the libraries themselves.
if(FOVEA_HAVE_LIBJPEG AND FOVEA_HAVE_LIBPNG)
  fovea_bench(decode_bench pictures/decode_bench.cc)
  target_link_libraries(decode_bench PRIVATE JPEG::JPEG PNG::PNG)
endif()
