// Sixteen weight rows side by side in AVX-512 registers (F, BW, DQ, VL and VNNI).
#pragma once

#include <immintrin.h>

#include "formats.h"

namespace localspec {
namespace {

struct Lanes {
    using Int = __m512i;
    using Float = __m512;
    static constexpr int rows = 16;             // weight rows in a register
    static constexpr int panels = 1;            // registers of weight rows computed together
    static constexpr int together = 8;          // rows of activations computed together
    static constexpr int at_once = 16;          // rows for which weights stay in registers
    static constexpr int32_t byte_offset = 128; // signed bytes are stored with this offset

    // ---- integers: lane r belongs to weight row r ----

    // 16 bytes of each of 16 rows: lane r of out[j] holds bytes 4j … 4j + 3 of row r.
    static LOCALSPEC_INLINE void columns(const uint8_t * p, size_t stride, Int * out) {
        const Int t0 = four(p, stride), t1 = four(p + stride, stride);
        const Int t2 = four(p + 2 * stride, stride), t3 = four(p + 3 * stride, stride);
        const Int a = _mm512_unpacklo_epi32(t0, t1), b = _mm512_unpacklo_epi32(t2, t3);
        const Int c = _mm512_unpackhi_epi32(t0, t1), d = _mm512_unpackhi_epi32(t2, t3);
        out[0] = _mm512_unpacklo_epi64(a, b);
        out[1] = _mm512_unpackhi_epi64(a, b);
        out[2] = _mm512_unpacklo_epi64(c, d);
        out[3] = _mm512_unpackhi_epi64(c, d);
    }
    static LOCALSPEC_INLINE Int four(const uint8_t * p, size_t stride) {
        const auto at = [&](int row) { return _mm_loadu_si128(reinterpret_cast<const __m128i *>(p + row * stride)); };
        Int t = _mm512_castsi128_si512(at(0));
        t = _mm512_inserti32x4(t, at(4), 1);
        t = _mm512_inserti32x4(t, at(8), 2);
        return _mm512_inserti32x4(t, at(12), 3);
    }
    // The first four of 16 readable bytes of each row.
    static LOCALSPEC_INLINE Int words(const uint8_t * p, size_t stride) {
        const Int a = _mm512_unpacklo_epi32(four(p, stride), four(p + stride, stride));
        const Int b = _mm512_unpacklo_epi32(four(p + 2 * stride, stride), four(p + 3 * stride, stride));
        return _mm512_unpacklo_epi64(a, b);
    }
    // The same bytes as `dots` takes them.
    static constexpr bool by_columns = true;
    static LOCALSPEC_INLINE void weights(const uint8_t * p, size_t stride, Int * out) { columns(p, stride, out); }
    static LOCALSPEC_INLINE Int load(const Int * p) { return _mm512_load_si512(p); }
    static LOCALSPEC_INLINE void store(Int * p, Int x) { _mm512_store_si512(p, x); }
    static LOCALSPEC_INLINE Int bytes(int value) { return _mm512_set1_epi8(static_cast<char>(value)); }
    static LOCALSPEC_INLINE Int both(Int a, Int b) { return _mm512_and_si512(a, b); }
    static LOCALSPEC_INLINE Int either(Int a, Int b) { return _mm512_or_si512(a, b); }
    template <int N> static LOCALSPEC_INLINE Int right(Int x) { return _mm512_srli_epi32(x, N); }
    template <int N> static LOCALSPEC_INLINE Int left(Int x) { return _mm512_slli_epi32(x, N); }
    static LOCALSPEC_INLINE Int signed_bytes(Int x) { return _mm512_xor_si512(x, bytes(0x80)); }
    // Two 16-bit numbers from two of the unsigned bytes.
    template <int SHIFT> static LOCALSPEC_INLINE Int pair(Int x) {
        const Int y = right<SHIFT>(x);
        return either(both(y, _mm512_set1_epi32(0xff)), both(left<8>(y), _mm512_set1_epi32(0xff0000)));
    }

    // ---- floats ----

    static LOCALSPEC_INLINE Float zero() { return _mm512_setzero_ps(); }
    static LOCALSPEC_INLINE Float load(const float * p) { return _mm512_load_ps(p); }
    static LOCALSPEC_INLINE void store(float * p, Float x) { _mm512_store_ps(p, x); }
    static LOCALSPEC_INLINE void store_some(float * p, Float x, int count) {
        _mm512_mask_storeu_ps(p, static_cast<__mmask16>(count >= 16 ? 0xffff : (1u << count) - 1), x);
    }
    static LOCALSPEC_INLINE Float all(float x) { return _mm512_set1_ps(x); }
    static LOCALSPEC_INLINE Float multiply(Float a, Float b) { return _mm512_mul_ps(a, b); }
    static LOCALSPEC_INLINE Float fused(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
    static LOCALSPEC_INLINE Float number(Int x) { return _mm512_cvtepi32_ps(x); }
    static LOCALSPEC_INLINE Float low_half(Int x) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(x)); }
    static LOCALSPEC_INLINE Float high_half(Int x) { return low_half(right<16>(x)); }
    template <int J> static LOCALSPEC_INLINE Float byte(Int x) {
        return number(both(right<8 * J>(x), _mm512_set1_epi32(0xff)));
    }
    template <int J> static LOCALSPEC_INLINE Float signed_byte(Int x) {
        return number(_mm512_srai_epi32(left<24 - 8 * J>(x), 24));
    }

    // ---- products ----

    // Sums over 4·G bytes of C rows of activations, `step` bytes apart, for P registers of weight rows, `apart` registers
    // apart; the offset of the weights is taken off.
    template <int P, int C, int G, Range RANGE, bool OFFSET>
    static LOCALSPEC_INLINE void dots(const Int * w, size_t apart, const int8_t * a, size_t step, const int32_t * correction,
                                      Int (&sum)[P][C]) {
        constexpr bool corrected = OFFSET || RANGE == Range::signed_byte;
        LOCALSPEC_UNROLL
        for (int c = 0; c < C; ++c) {
            const Int start = corrected ? _mm512_set1_epi32(correction[c * (step / 4)]) : _mm512_setzero_si512();
            LOCALSPEC_UNROLL
            for (int p = 0; p < P; ++p) sum[p][c] = start;
        }
        LOCALSPEC_UNROLL
        for (int j = 0; j < G; ++j) {
            Int x[P];
            LOCALSPEC_UNROLL
            for (int p = 0; p < P; ++p) x[p] = load(w + p * apart + j);
            LOCALSPEC_UNROLL
            for (int c = 0; c < C; ++c) {
                const Int y = _mm512_set1_epi32(load_word(a + c * step + 4 * j));
                LOCALSPEC_UNROLL
                for (int p = 0; p < P; ++p) sum[p][c] = _mm512_dpbusd_epi32(sum[p][c], x[p], y);
            }
        }
    }
    static LOCALSPEC_INLINE Int no_sum() { return _mm512_setzero_si512(); }
    // sum + products of two pairs of 16-bit numbers
    static LOCALSPEC_INLINE Int pairs(Int sum, Int w, int32_t a) { return _mm512_dpwssd_epi32(sum, w, _mm512_set1_epi32(a)); }

    // ---- rows of activations ----

    static LOCALSPEC_INLINE float half_rounded(float x) { return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtps_ph(_mm_set_ss(x), 0))); }
    static LOCALSPEC_INLINE float largest(const float * x, int count) {  // a multiple of 32
        Float m = zero();
        for (int i = 0; i < count; i += 16) m = _mm512_max_ps(m, _mm512_abs_ps(_mm512_loadu_ps(x + i)));
        return _mm512_reduce_max_ps(m);
    }
    // 16 values times `factor`, rounded to bytes; returns their sum.
    static LOCALSPEC_INLINE int32_t quantize16(const float * x, float factor, int8_t * q) {
        const Int i = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x), all(factor)));
        _mm_storeu_si128(reinterpret_cast<__m128i *>(q), _mm512_cvtsepi32_epi8(i));
        return _mm512_reduce_add_epi32(i);
    }

    // ---- vectors along a row, for 16- and 32-bit weights and attention ----

    static constexpr int width = 16;
    static constexpr int together_wide = 6;
    static constexpr int queries_scored = 8, queries_valued = 6, value_registers = 4;
    static LOCALSPEC_INLINE Float loadu(const float * p) { return _mm512_loadu_ps(p); }
    static LOCALSPEC_INLINE void storeu(float * p, Float x) { _mm512_storeu_ps(p, x); }
    static LOCALSPEC_INLINE Float widen(const float * p) { return _mm512_loadu_ps(p); }
    static LOCALSPEC_INLINE Float widen(const ggml_fp16_t * p) {
        return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(p)));
    }
    static LOCALSPEC_INLINE Float widen(const ggml_bf16_t * p) {
        const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(p));
        return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
    }
    static LOCALSPEC_INLINE float total(Float x) { return _mm512_reduce_add_ps(x); }
    static LOCALSPEC_INLINE float greatest(Float x) { return _mm512_reduce_max_ps(x); }
    static LOCALSPEC_INLINE Float larger(Float a, Float b) { return _mm512_max_ps(a, b); }
    static LOCALSPEC_INLINE Float add(Float a, Float b) { return _mm512_add_ps(a, b); }
    static LOCALSPEC_INLINE Float subtract(Float a, Float b) { return _mm512_sub_ps(a, b); }
    // 2^n for whole n
    static LOCALSPEC_INLINE Float power_of_two(Float n) {
        return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23));
    }
    static LOCALSPEC_INLINE Float rounded(Float x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
    // x where a > b, else 0
    static LOCALSPEC_INLINE Float where_greater(Float a, Float b, Float x) {
        return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), x);
    }
    static LOCALSPEC_INLINE float half(uint16_t x) { return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(x))); }
    static LOCALSPEC_INLINE void transpose(Float * x) {
        Float t[16];
        LOCALSPEC_UNROLL
        for (int i = 0; i < 4; ++i) {  // four rows at a time, inside their 128-bit parts
            const Float a = _mm512_unpacklo_ps(x[4 * i], x[4 * i + 1]), b = _mm512_unpacklo_ps(x[4 * i + 2], x[4 * i + 3]);
            const Float c = _mm512_unpackhi_ps(x[4 * i], x[4 * i + 1]), d = _mm512_unpackhi_ps(x[4 * i + 2], x[4 * i + 3]);
            t[4 * i] = _mm512_shuffle_ps(a, b, 0x44);
            t[4 * i + 1] = _mm512_shuffle_ps(a, b, 0xee);
            t[4 * i + 2] = _mm512_shuffle_ps(c, d, 0x44);
            t[4 * i + 3] = _mm512_shuffle_ps(c, d, 0xee);
        }
        LOCALSPEC_UNROLL
        for (int i = 0; i < 4; ++i) {  // then the parts
            const Float a = _mm512_shuffle_f32x4(t[i], t[4 + i], 0x88), b = _mm512_shuffle_f32x4(t[8 + i], t[12 + i], 0x88);
            const Float c = _mm512_shuffle_f32x4(t[i], t[4 + i], 0xdd), d = _mm512_shuffle_f32x4(t[8 + i], t[12 + i], 0xdd);
            x[i] = _mm512_shuffle_f32x4(a, b, 0x88);
            x[8 + i] = _mm512_shuffle_f32x4(a, b, 0xdd);
            x[4 + i] = _mm512_shuffle_f32x4(c, d, 0x88);
            x[12 + i] = _mm512_shuffle_f32x4(c, d, 0xdd);
        }
    }
    static LOCALSPEC_INLINE void prefetch(const void * p) { _mm_prefetch(static_cast<const char *>(p), _MM_HINT_T1); }
};

}  // namespace
}  // namespace localspec
