fovea_test(backend_operators_test backend/operators_test.cc backend/rows_test.cc
                                  backend/sequences_test.cc
                                  backend/windows_test.cc)
fovea_test(backend_door_test backend/door_test.cc backend/sequence_door_test.cc)
fovea_test(backend_reference_test backend/reference_test.cc
                                 backend/reference_sequences_test.cc)
fovea_test(backend_native_test backend/native_test.cc LABEL threads)
fovea_test(backend_threads_test backend/peak_test.cc backend/threads_test.cc LABEL threads)
