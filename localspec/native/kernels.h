// What an instruction set offers to the seam: one table of functions, filled by each isa_*.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

namespace localspec {

// A matrix product: m weight rows of k values each, n rows of activations.
struct Product {
    int type;  // ggml_type of the weights
    int64_t m, n, k;
    const char * weights;
    size_t weight_stride;  // bytes between weight rows
    const char * rows;     // F32
    size_t row_stride;     // bytes
    char * out;            // F32
    size_t out_stride;     // bytes between rows of the result
};

// One call of attention: one sequence stream, grouped heads.
struct Attention {
    int64_t rows, cells, heads, kv_heads, key_width, value_width;
    int key_type, value_type;
    float scale, softcap;
    const char * q;
    size_t q_row, q_head;
    const char * k;
    size_t k_cell, k_head;
    const char * v;
    size_t v_cell, v_head;
    const char * mask;  // F16 or null
    size_t mask_row;
    char * out;
    size_t out_row, out_head;
};

struct Kernels {
    const char * name;
    // Whether weights of this type and row length are served.
    bool (*serves)(int type, int64_t k);
    // Bytes of packed activations.
    size_t (*packed_size)(int type, int64_t n, int64_t k);
    // Packs part `index` of `parts` of the rows of activations.
    void (*pack)(const Product &, void * packed, int64_t index, int64_t parts);
    // Weight rows that are computed together; parts of the result are multiples of it.
    int64_t (*panel)(int type);
    // Computes the outputs of weight rows first … last − 1.
    void (*multiply)(const Product &, const void * packed, int64_t first, int64_t last);
    bool (*attends)(const Attention &);
    // Computes heads of key head `kv_head` for the rows first … last − 1.
    void (*attend)(const Attention &, int64_t kv_head, int64_t first, int64_t last);
};

// There where the compiler knows the instruction set. Ask the processor (processor.h) before a table is used.
const Kernels * avx2_kernels();
const Kernels * avx_vnni_kernels();
const Kernels * avx512_kernels();
const Kernels * avx512_bf16_kernels();
const Kernels * neon_kernels();
const Kernels * neon_i8mm_kernels();

}  // namespace localspec
