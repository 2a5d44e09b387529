// Eight weight rows side by side in AVX2 registers (with FMA and F16C). LOCALSPEC_DPBUSD, where it is defined, adds four
// products of unsigned and signed bytes to each 32-bit sum.
#pragma once

#include <immintrin.h>

#include "formats.h"

namespace localspec {
namespace {

struct Lanes {
    using Int = __m256i;
    using Float = __m256;
    static constexpr int rows = 8;             // weight rows in a register
    static constexpr int panels = 1;           // registers of weight rows computed together
#if defined(LOCALSPEC_DPBUSD)
    static constexpr int together = 8;           // rows of activations computed together
    static constexpr int at_once = 2;            // rows for which weights stay in registers
    static constexpr int32_t byte_offset = 128;  // signed bytes are stored with this offset
#else
    static constexpr int together = 4;         // rows of activations computed together
    static constexpr int at_once = 4;          // rows for which weights stay in registers
    static constexpr int32_t byte_offset = 0;  // signed bytes are stored as they are
#endif

    // ---- integers: lane r belongs to weight row r ----

    // 16 bytes of each of 8 rows: lane r of out[j] holds bytes 4j … 4j + 3 of row r.
    static LOCALSPEC_INLINE void columns(const uint8_t * p, size_t stride, Int * out) {
        const Int t0 = two(p, stride), t1 = two(p + stride, stride);
        const Int t2 = two(p + 2 * stride, stride), t3 = two(p + 3 * stride, stride);
        const Int a = _mm256_unpacklo_epi32(t0, t1), b = _mm256_unpacklo_epi32(t2, t3);
        const Int c = _mm256_unpackhi_epi32(t0, t1), d = _mm256_unpackhi_epi32(t2, t3);
        out[0] = _mm256_unpacklo_epi64(a, b);
        out[1] = _mm256_unpackhi_epi64(a, b);
        out[2] = _mm256_unpacklo_epi64(c, d);
        out[3] = _mm256_unpackhi_epi64(c, d);
    }
    static LOCALSPEC_INLINE Int two(const uint8_t * p, size_t stride) {
        const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i *>(p));
        return _mm256_inserti128_si256(_mm256_castsi128_si256(low), _mm_loadu_si128(reinterpret_cast<const __m128i *>(p + 4 * stride)), 1);
    }
    // The first four of 16 readable bytes of each row.
    static LOCALSPEC_INLINE Int words(const uint8_t * p, size_t stride) {
        const Int a = _mm256_unpacklo_epi32(two(p, stride), two(p + stride, stride));
        const Int b = _mm256_unpacklo_epi32(two(p + 2 * stride, stride), two(p + 3 * stride, stride));
        return _mm256_unpacklo_epi64(a, b);
    }
    // The same bytes as `dots` takes them.
    static constexpr bool by_columns = true;
    static LOCALSPEC_INLINE void weights(const uint8_t * p, size_t stride, Int * out) { columns(p, stride, out); }
    static LOCALSPEC_INLINE Int load(const Int * p) { return _mm256_load_si256(p); }
    static LOCALSPEC_INLINE void store(Int * p, Int x) { _mm256_store_si256(p, x); }
    static LOCALSPEC_INLINE Int bytes(int value) { return _mm256_set1_epi8(static_cast<char>(value)); }
    static LOCALSPEC_INLINE Int both(Int a, Int b) { return _mm256_and_si256(a, b); }
    static LOCALSPEC_INLINE Int either(Int a, Int b) { return _mm256_or_si256(a, b); }
    template <int N> static LOCALSPEC_INLINE Int right(Int x) { return _mm256_srli_epi32(x, N); }
    template <int N> static LOCALSPEC_INLINE Int left(Int x) { return _mm256_slli_epi32(x, N); }
    static LOCALSPEC_INLINE Int signed_bytes(Int x) { return byte_offset == 0 ? x : _mm256_xor_si256(x, bytes(byte_offset)); }
    // Two 16-bit numbers from two of the unsigned bytes.
    template <int SHIFT> static LOCALSPEC_INLINE Int pair(Int x) {
        const Int y = right<SHIFT>(x);
        return either(both(y, _mm256_set1_epi32(0xff)), both(left<8>(y), _mm256_set1_epi32(0xff0000)));
    }

    // ---- floats ----

    static LOCALSPEC_INLINE Float zero() { return _mm256_setzero_ps(); }
    static LOCALSPEC_INLINE Float load(const float * p) { return _mm256_load_ps(p); }
    static LOCALSPEC_INLINE void store(float * p, Float x) { _mm256_store_ps(p, x); }
    static LOCALSPEC_INLINE void store_some(float * p, Float x, int count) {
        if (count >= 8) {
            _mm256_storeu_ps(p, x);
        } else {
            alignas(32) float all[8];
            store(all, x);
            std::memcpy(p, all, count * sizeof(float));
        }
    }
    static LOCALSPEC_INLINE Float all(float x) { return _mm256_set1_ps(x); }
    static LOCALSPEC_INLINE Float multiply(Float a, Float b) { return _mm256_mul_ps(a, b); }
    static LOCALSPEC_INLINE Float fused(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
    static LOCALSPEC_INLINE Float number(Int x) { return _mm256_cvtepi32_ps(x); }
    static LOCALSPEC_INLINE Float low_half(Int x) {
        const Int halves = _mm256_packus_epi32(both(x, _mm256_set1_epi32(0xffff)), _mm256_setzero_si256());
        return _mm256_cvtph_ps(_mm256_castsi256_si128(_mm256_permute4x64_epi64(halves, 0xd8)));
    }
    static LOCALSPEC_INLINE Float high_half(Int x) { return low_half(right<16>(x)); }
    template <int J> static LOCALSPEC_INLINE Float byte(Int x) {
        return number(both(right<8 * J>(x), _mm256_set1_epi32(0xff)));
    }
    template <int J> static LOCALSPEC_INLINE Float signed_byte(Int x) {
        return number(_mm256_srai_epi32(left<24 - 8 * J>(x), 24));
    }

    // ---- products ----

    // Sums over 4·G bytes of C rows of activations, `step` bytes apart; the offset of the weights is taken off.
    template <int P, int C, int G, Range RANGE, bool OFFSET>
    static LOCALSPEC_INLINE void dots(const Int * w, size_t, const int8_t * a, size_t step, const int32_t * correction,
                                      Int (&sum)[P][C]) {
        static_assert(P == 1, "sixteen registers are too few for more");
#if defined(LOCALSPEC_DPBUSD)
        constexpr bool corrected = OFFSET || RANGE == Range::signed_byte;
        LOCALSPEC_UNROLL
        for (int c = 0; c < C; ++c) sum[0][c] = corrected ? _mm256_set1_epi32(correction[c * (step / 4)]) : no_sum();
        LOCALSPEC_UNROLL
        for (int j = 0; j < G; ++j) {
            const Int x = load(w + j);
            LOCALSPEC_UNROLL
            for (int c = 0; c < C; ++c) {
                sum[0][c] = LOCALSPEC_DPBUSD(sum[0][c], x, _mm256_set1_epi32(load_word(a + c * step + 4 * j)));
            }
        }
#else
        // Sums of so many products of pairs of bytes fit into 16 bits.
        constexpr int run = RANGE == Range::nibble ? 8 : RANGE == Range::five_bits ? 4 : RANGE == Range::six_bits ? 2 : 1;
        const Int ones = _mm256_set1_epi16(1);
        LOCALSPEC_UNROLL
        for (int j = 0; j < G; j += run) {
            Int part[C];
            LOCALSPEC_UNROLL
            for (int i = 0; i < (run < G ? run : G); ++i) {
                const Int x = load(w + j + i);
                const Int size = RANGE == Range::signed_byte ? _mm256_sign_epi8(x, x) : x;
                LOCALSPEC_UNROLL
                for (int c = 0; c < C; ++c) {
                    Int y = _mm256_set1_epi32(load_word(a + c * step + 4 * (j + i)));
                    if constexpr (RANGE == Range::signed_byte) y = _mm256_sign_epi8(y, x);
                    const Int products = _mm256_maddubs_epi16(size, y);
                    part[c] = i == 0 ? products : _mm256_add_epi16(part[c], products);
                }
            }
            LOCALSPEC_UNROLL
            for (int c = 0; c < C; ++c) {
                const Int wide = _mm256_madd_epi16(part[c], ones);
                sum[0][c] = j == 0 ? wide : _mm256_add_epi32(sum[0][c], wide);
            }
        }
        if constexpr (OFFSET) {
            LOCALSPEC_UNROLL
            for (int c = 0; c < C; ++c) sum[0][c] = _mm256_add_epi32(sum[0][c], _mm256_set1_epi32(correction[c * (step / 4)]));
        }
#endif
    }
    static LOCALSPEC_INLINE Int no_sum() { return _mm256_setzero_si256(); }
    // sum + products of two pairs of 16-bit numbers
    static LOCALSPEC_INLINE Int pairs(Int sum, Int w, int32_t a) {
        return _mm256_add_epi32(sum, _mm256_madd_epi16(w, _mm256_set1_epi32(a)));
    }

    // ---- rows of activations ----

    static LOCALSPEC_INLINE float half_rounded(float x) { return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtps_ph(_mm_set_ss(x), 0))); }
    static LOCALSPEC_INLINE float largest(const float * x, int count) {  // a multiple of 8
        Float m = zero();
        for (int i = 0; i < count; i += 8) m = _mm256_max_ps(m, _mm256_andnot_ps(all(-0.f), _mm256_loadu_ps(x + i)));
        return greatest(m);
    }
    // 16 values times `factor`, rounded to bytes; returns their sum.
    static LOCALSPEC_INLINE int32_t quantize16(const float * x, float factor, int8_t * q) {
        const Int a = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), all(factor)));
        const Int b = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8), all(factor)));
        const Int words16 = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);
        const __m128i packed = _mm_packs_epi16(_mm256_castsi256_si128(words16), _mm256_extracti128_si256(words16, 1));
        _mm_storeu_si128(reinterpret_cast<__m128i *>(q), packed);
        const Int s = _mm256_add_epi32(a, b);
        __m128i t = _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
        t = _mm_add_epi32(t, _mm_shuffle_epi32(t, 0x4e));
        return _mm_cvtsi128_si32(_mm_add_epi32(t, _mm_shuffle_epi32(t, 0xb1)));
    }

    // ---- vectors along a row, for 16- and 32-bit weights and attention ----

    static constexpr int width = 8;
    static constexpr int together_wide = 2;
    static constexpr int queries_scored = 5, queries_valued = 3, value_registers = 4;
    static LOCALSPEC_INLINE Float loadu(const float * p) { return _mm256_loadu_ps(p); }
    static LOCALSPEC_INLINE void storeu(float * p, Float x) { _mm256_storeu_ps(p, x); }
    static LOCALSPEC_INLINE Float widen(const float * p) { return _mm256_loadu_ps(p); }
    static LOCALSPEC_INLINE Float widen(const ggml_fp16_t * p) {
        return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p)));
    }
    static LOCALSPEC_INLINE Float widen(const ggml_bf16_t * p) {
        const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i *>(p));
        return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));
    }
    static LOCALSPEC_INLINE float total(Float x) {
        __m128 t = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
        t = _mm_add_ps(t, _mm_movehl_ps(t, t));
        return _mm_cvtss_f32(_mm_add_ss(t, _mm_movehdup_ps(t)));
    }
    static LOCALSPEC_INLINE float greatest(Float x) {
        __m128 t = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
        t = _mm_max_ps(t, _mm_movehl_ps(t, t));
        return _mm_cvtss_f32(_mm_max_ss(t, _mm_movehdup_ps(t)));
    }
    static LOCALSPEC_INLINE Float larger(Float a, Float b) { return _mm256_max_ps(a, b); }
    static LOCALSPEC_INLINE Float add(Float a, Float b) { return _mm256_add_ps(a, b); }
    static LOCALSPEC_INLINE Float subtract(Float a, Float b) { return _mm256_sub_ps(a, b); }
    // 2^n for whole n
    static LOCALSPEC_INLINE Float power_of_two(Float n) {
        return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
    }
    static LOCALSPEC_INLINE Float rounded(Float x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
    // x where a > b, else 0
    static LOCALSPEC_INLINE Float where_greater(Float a, Float b, Float x) {
        return _mm256_and_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ), x);
    }
    static LOCALSPEC_INLINE float half(uint16_t x) { return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(x))); }
    static LOCALSPEC_INLINE void transpose(Float * x) {
        Float t[8];
        LOCALSPEC_UNROLL
        for (int i = 0; i < 2; ++i) {  // four rows at a time, inside their 128-bit parts
            const Float a = _mm256_unpacklo_ps(x[4 * i], x[4 * i + 1]), b = _mm256_unpacklo_ps(x[4 * i + 2], x[4 * i + 3]);
            const Float c = _mm256_unpackhi_ps(x[4 * i], x[4 * i + 1]), d = _mm256_unpackhi_ps(x[4 * i + 2], x[4 * i + 3]);
            t[4 * i] = _mm256_shuffle_ps(a, b, 0x44);
            t[4 * i + 1] = _mm256_shuffle_ps(a, b, 0xee);
            t[4 * i + 2] = _mm256_shuffle_ps(c, d, 0x44);
            t[4 * i + 3] = _mm256_shuffle_ps(c, d, 0xee);
        }
        LOCALSPEC_UNROLL
        for (int i = 0; i < 4; ++i) {
            x[i] = _mm256_permute2f128_ps(t[i], t[4 + i], 0x20);
            x[4 + i] = _mm256_permute2f128_ps(t[i], t[4 + i], 0x31);
        }
    }
    static LOCALSPEC_INLINE void prefetch(const void * p) { _mm_prefetch(static_cast<const char *>(p), _MM_HINT_T1); }
};

}  // namespace
}  // namespace localspec
