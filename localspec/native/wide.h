// The matrix product of 16- and 32-bit weights. Include after a lanes_*.h.
//
// Lanes run along a row; each output has one register of sums that is added up at the end, so its value does not depend
// on what is computed beside it. Activations are rounded to the weights' type, as llama.cpp does.
#pragma once

#include "formats.h"
#include "kernels.h"

namespace localspec {
namespace {

constexpr int64_t AHEAD_ROWS = 16;  // weight rows between those that are multiplied and those that are fetched

inline int64_t padded(int64_t k) { return (k + 31) / 32 * 32; }

inline float rounded_as(float x, const float *) { return x; }
inline float rounded_as(float x, const ggml_fp16_t *) { return Lanes::half_rounded(x); }
inline float rounded_as(float x, const ggml_bf16_t *) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    bits = (bits & 0x7fffffff) > 0x7f800000 ? (bits | 0x400000) & 0xffff0000 : (bits + (0x7fff + ((bits >> 16) & 1))) & 0xffff0000;
    std::memcpy(&x, &bits, 4);
    return x;
}

// How weights of type W are multiplied: here as floats.
template <class W> struct Floats {
    using Weight = W;
    using Row = float;  // what a packed activation is
    static constexpr int step = Lanes::width;
    using Piece = Lanes::Float;
    static LOCALSPEC_INLINE Piece load(const W * p) { return Lanes::widen(p); }
    static LOCALSPEC_INLINE Piece load_row(const float * p) { return Lanes::loadu(p); }
    static LOCALSPEC_INLINE Lanes::Float add(Lanes::Float sum, Piece w, Piece a) { return Lanes::fused(w, a, sum); }
    static LOCALSPEC_INLINE float packed(float x) { return rounded_as(x, static_cast<const W *>(nullptr)); }
};

template <class K> void pack_wide(const Product & p, void * packed, int64_t index, int64_t parts) {
    auto * rows = static_cast<typename K::Row *>(packed);
    const int64_t wide = padded(p.k), pieces = wide / 32, jobs = p.n * pieces;
    for (int64_t job = jobs * index / parts; job < jobs * (index + 1) / parts; ++job) {
        const int64_t row = job / pieces, at = job % pieces * 32;
        const float * x = reinterpret_cast<const float *>(p.rows + row * p.row_stride);
        for (int64_t i = at; i < at + 32; ++i) rows[row * wide + i] = K::packed(i < p.k ? x[i] : 0.f);
    }
}

// R weight rows × C rows of activations. What lies from `ahead` on is fetched meanwhile, where that is not null.
template <class K, int R, int C>
LOCALSPEC_INLINE void multiply_block(const Product & p, const typename K::Row * a, const char * w, const char * ahead,
                                     float (&out)[R][C]) {
    using W = typename K::Weight;
    const int64_t whole = p.k / K::step * K::step, wide = padded(p.k);
    Lanes::Float sum[R][C];
    LOCALSPEC_UNROLL
    for (int r = 0; r < R; ++r) {
        LOCALSPEC_UNROLL
        for (int c = 0; c < C; ++c) sum[r][c] = Lanes::zero();
    }
    const auto step = [&](const char * base, size_t stride, int64_t row_at) LOCALSPEC_INLINED {
        typename K::Piece x[C];
        LOCALSPEC_UNROLL
        for (int c = 0; c < C; ++c) x[c] = K::load_row(a + c * wide + row_at);
        LOCALSPEC_UNROLL
        for (int r = 0; r < R; ++r) {
            const typename K::Piece y = K::load(reinterpret_cast<const W *>(base + r * stride));
            LOCALSPEC_UNROLL
            for (int c = 0; c < C; ++c) sum[r][c] = K::add(sum[r][c], y, x[c]);
        }
    };
    if (ahead) {
        constexpr int bytes = R * K::step * sizeof(W);
        for (int64_t i = 0; i < whole; i += K::step, ahead += bytes) {
            LOCALSPEC_UNROLL
            for (int b = 0; b < bytes; b += 64) Lanes::prefetch(ahead + b);
            step(w + i * sizeof(W), p.weight_stride, i);
        }
    } else {
        for (int64_t i = 0; i < whole; i += K::step) step(w + i * sizeof(W), p.weight_stride, i);
    }
    if (whole < p.k) {
        alignas(64) W rest[R * K::step] = {};
        for (int r = 0; r < R; ++r) std::memcpy(rest + r * K::step, w + r * p.weight_stride + whole * sizeof(W), (p.k - whole) * sizeof(W));
        step(reinterpret_cast<const char *>(rest), K::step * sizeof(W), whole);
    }
    LOCALSPEC_UNROLL
    for (int r = 0; r < R; ++r) {
        LOCALSPEC_UNROLL
        for (int c = 0; c < C; ++c) out[r][c] = Lanes::total(sum[r][c]);
    }
}

template <class K, int R, int C>
LOCALSPEC_INLINE void store_block(const Product & p, const typename K::Row * a, const char * ahead, int64_t m0, int64_t n0) {
    float out[R][C];
    multiply_block<K, R, C>(p, a + n0 * padded(p.k), p.weights + m0 * p.weight_stride, n0 == 0 ? ahead : nullptr, out);
    for (int c = 0; c < C; ++c) {
        float * to = reinterpret_cast<float *>(p.out + (n0 + c) * p.out_stride) + m0;
        for (int r = 0; r < R; ++r) to[r] = out[r][c];
    }
}

template <class K, int R, int C>
LOCALSPEC_INLINE void rest_of_rows(const Product & p, const typename K::Row * a, const char * ahead, int64_t m0, int64_t n0) {
    if constexpr (C > 0) {
        if (p.n - n0 == C) {
            store_block<K, R, C>(p, a, ahead, m0, n0);
        } else {
            rest_of_rows<K, R, C - 1>(p, a, ahead, m0, n0);
        }
    }
}

template <class K, int R> LOCALSPEC_INLINE void multiply_strip(const Product & p, const typename K::Row * a, const char * ahead, int64_t m0) {
    constexpr int C = Lanes::together_wide;
    int64_t n0 = 0;
    for (; n0 + C <= p.n; n0 += C) store_block<K, R, C>(p, a, ahead, m0, n0);
    rest_of_rows<K, R, C - 1>(p, a, ahead, m0, n0);
}

template <class K> void multiply_wide(const Product & p, const void * packed, int64_t first, int64_t last) {
    const auto * a = static_cast<const typename K::Row *>(packed);
    int64_t m0 = first;
    // One row of activations waits for memory only: the processor fetches one run by itself best, from its first byte.
    if (p.n == 1) {
        for (; m0 < last; ++m0) store_block<K, 1, 1>(p, a, nullptr, m0, 0);
    }
    for (; m0 + 4 <= last; m0 += 4) multiply_strip<K, 4>(p, a, m0 + AHEAD_ROWS + 4 <= last ? p.weights + (m0 + AHEAD_ROWS) * p.weight_stride : nullptr, m0);
    for (; m0 < last; ++m0) multiply_strip<K, 1>(p, a, nullptr, m0);
}

}  // namespace
}  // namespace localspec
