# How llama.cpp's CUDA library finds CUDA's own at run time, where they lie in .venv/cuda (scripts/gpu.sh):
#   CMAKE_ARGS=-DCMAKE_PROJECT_llama_cpp_INCLUDE=…/scripts/cuda.cmake
#
# From its place, .venv/lib/python3.X/site-packages/llama_cpp/lib, so that the folder may be moved. llama-cpp-python sets
# the run path of its libraries itself, in the outermost folder: this is done after it.

function(localspec_find_cuda)
    if(TARGET ggml-cuda)
        set_property(TARGET ggml-cuda APPEND PROPERTY INSTALL_RPATH "$ORIGIN/../../../../../cuda/nvidia/cu13/lib")
        set_property(TARGET ggml-cuda PROPERTY INSTALL_RPATH_USE_LINK_PATH FALSE)
    endif()
endfunction()

cmake_language(DEFER CALL localspec_find_cuda)
