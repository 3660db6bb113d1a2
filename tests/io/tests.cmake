fovea_test(resize_test io/resize_test.cc)
fovea_test(preprocess_test io/decode_and_preprocess_test.cc io/preprocess_test.cc)

fovea_test(image_test
  io/fast_decode_test.cc
  io/image_test.cc
  io/malformed_picture_test.cc
  io/picture_table_test.cc)

# Each decoder in the library is tested, also those that decode_image does not choose.
fovea_test(decoders_test io/decoders_test.cc)
foreach(test image_test decoders_test preprocess_test)
  foreach(decoder LIBJPEG LIBPNG LIBWEBP STB)
    if(FOVEA_HAVE_${decoder})
      target_compile_definitions(${test} PRIVATE FOVEA_WITH_${decoder})
    endif()
  endforeach()
endforeach()

if(FOVEA_HAVE_LIBJPEG)
  target_link_libraries(preprocess_test PRIVATE JPEG::JPEG)  # writes what it reads
endif()

fovea_test(checkpoint_test
  io/hub_folder_test.cc
  io/malformed_config_test.cc
  io/malformed_safetensors_test.cc
  io/safetensors_test.cc
  io/save_test.cc
  io/transformers_folder_test.cc)

fovea_test(torch_checkpoint_test io/torch_checkpoint_test.cc)
fovea_test(malformed_pth_test
  io/malformed_archives.cc
  io/malformed_pickles.cc
  io/malformed_pth_test.cc
  io/malformed_tensors.cc)

# Alone, for its operator new is of the whole program.
fovea_test(failing_allocator_test io/failing_allocator_test.cc)

if(NOT FOVEA_SANITIZE)  # sanitizers bring an allocator of their own
  fovea_test(allocation_bound_test io/allocation_bound_test.cc counting_allocator.cc)
endif()
