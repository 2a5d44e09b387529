// Weight formats as llama.cpp stores them, and rows of activations as our kernels read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "ggml.h"

#ifndef GGML_COMMON_DECL
#define GGML_COMMON_DECL_CPP
#include "ggml-common.h"
#endif

namespace localspec {

// The layouts these kernels were written for (llama-cpp-python 0.3.36). A pin that changes one of them must not compile.
static_assert(QK4_0 == 32 && sizeof(block_q4_0) == 18 && offsetof(block_q4_0, qs) == 2, "Q4_0 changed");
static_assert(QK4_1 == 32 && sizeof(block_q4_1) == 20 && offsetof(block_q4_1, qs) == 4, "Q4_1 changed");
static_assert(QK8_0 == 32 && sizeof(block_q8_0) == 34 && offsetof(block_q8_0, qs) == 2, "Q8_0 changed");
static_assert(QK_K == 256 && K_SCALE_SIZE == 12, "super-blocks changed");
static_assert(sizeof(block_q4_K) == 144 && offsetof(block_q4_K, scales) == 4 && offsetof(block_q4_K, qs) == 16, "Q4_K changed");
static_assert(sizeof(block_q5_K) == 176 && offsetof(block_q5_K, qh) == 16 && offsetof(block_q5_K, qs) == 48, "Q5_K changed");
static_assert(sizeof(block_q6_K) == 210 && offsetof(block_q6_K, qh) == 128 && offsetof(block_q6_K, scales) == 192 &&
                  offsetof(block_q6_K, d) == 208,
              "Q6_K changed");
static_assert(GGML_TYPE_F16 == 1 && GGML_TYPE_Q4_0 == 2 && GGML_TYPE_Q4_1 == 3 && GGML_TYPE_Q8_0 == 8 && GGML_TYPE_Q4_K == 12 &&
                  GGML_TYPE_Q5_K == 13 && GGML_TYPE_Q6_K == 14 && GGML_TYPE_BF16 == 30,
              "numbers of the types changed");

constexpr int CHUNK = 256;  // activations of one row that are multiplied before the next row's

// How large a weight's integer can be, which decides how products of bytes are added.
enum class Range { nibble, five_bits, six_bits, signed_byte };

// 256 activations as bytes with a scale for each 32, as llama.cpp's Q8_0 and Q8_1 round them.
struct Row32 {
    int8_t q[CHUNK];
    float scale[8];
    union {
        float sum[8];           // scale × sum of q, for weights that have a minimum (Q4_1)
        int32_t correction[8];  // −offset × sum of q, for weights stored with an offset
    };
};

// 256 activations as bytes with one scale, as llama.cpp's Q8_K rounds them.
struct Row256 {
    int8_t q[CHUNK];
    int32_t correction[16];  // −offset × sum of 16 q
    int32_t sums[4];         // sums of 32 q, two 16-bit ones in each
    float scale;
    int32_t unused[3];
};
static_assert(sizeof(Row32) == 320 && sizeof(Row256) == 352, "rows are read with these strides");

inline int32_t load_word(const void * p) {
    int32_t word;
    std::memcpy(&word, p, 4);
    return word;
}

}  // namespace localspec

// LOCALSPEC_INLINE begins a function, LOCALSPEC_INLINED follows the parameters of a lambda.
#if defined(_MSC_VER) && !defined(__clang__)
#pragma fp_contract(off)
#define LOCALSPEC_UNROLL
#define LOCALSPEC_INLINE __forceinline
#define LOCALSPEC_INLINED [[msvc::forceinline]]
#else
#if defined(__clang__)
#define LOCALSPEC_UNROLL _Pragma("clang loop unroll(full)")
#else
#define LOCALSPEC_UNROLL _Pragma("GCC unroll 32")
#endif
#define LOCALSPEC_INLINE inline __attribute__((always_inline))
#define LOCALSPEC_INLINED __attribute__((always_inline))
#endif
