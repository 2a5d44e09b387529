// The matrix product of quantized weights, written once for every instruction set. Include after a lanes_*.h.
//
// Weight rows lie side by side in a register ("panel"); their blocks are decoded once for up to 256 values of a row and
// then multiplied with every row of activations. An output is one chain of sums along the row, the same whatever rows
// and threads there are: row-count invariance is a property of this order, so keep it.
#pragma once

#include <cstdlib>
#include <type_traits>

#include "formats.h"
#include "kernels.h"

namespace localspec {
namespace {

using Int = Lanes::Int;
using Float = Lanes::Float;

template <int BLOCKS, bool MIN> struct Panel32 {
    alignas(64) Int w[CHUNK / 4];
    alignas(64) Float scale[BLOCKS];
    alignas(64) Float minimum[MIN ? BLOCKS : 1];
};

struct PanelK {
    alignas(64) Int w[CHUNK / 4];
    alignas(64) Float scale[16];  // of sub-blocks, without the super-block's
    alignas(64) Float d, dmin;
    alignas(64) Int minima[4];
};

// Fetches what is read two panels later into the second-level cache, a little with every block that is decoded. (Into the
// first, or one panel earlier, a row takes 1.4 × as long: the processor tracks few such requests.)
struct Prefetch {
    const char * at;
    const char * end;
    LOCALSPEC_INLINE void next(int bytes) {
        if (at >= end) return;
        for (int i = 0; i < bytes; i += 64) Lanes::prefetch(at + i);
        at += bytes;
    }
};

// ---- one source of truth per format ----

// A format of blocks of 32 with a float scale. read() makes 8 registers of bytes as Lanes::dots takes them; lanes of the
// floats are weight rows.
template <int BYTES, Range RANGE, int OFFSET, bool MIN> struct Blocks32 {
    static constexpr int block = 32, block_bytes = BYTES, offset = OFFSET;
    static constexpr Range range = RANGE;
    static constexpr bool has_min = MIN;
    using Row = Row32;
    using Panel = Panel32<8, MIN>;
};

// Nibbles of a block of 32: the first half of it low, the second high.
LOCALSPEC_INLINE void split_nibbles(const Int * q, Int * w) {
    LOCALSPEC_UNROLL
    for (int j = 0; j < 4; ++j) {
        w[j] = Lanes::both(q[j], Lanes::bytes(15));
        w[4 + j] = Lanes::both(Lanes::right<4>(q[j]), Lanes::bytes(15));
    }
}

struct Q4_0 : Blocks32<18, Range::nibble, 8, false> {
    static LOCALSPEC_INLINE void read(const uint8_t * p, size_t stride, Int * w, Float & scale, Float &) {
        Int q[4];
        Lanes::weights(p + 2, stride, q);
        split_nibbles(q, w);
        scale = Lanes::low_half(Lanes::words(p, stride));
    }
};

struct Q4_1 : Blocks32<20, Range::nibble, 0, true> {
    static LOCALSPEC_INLINE void read(const uint8_t * p, size_t stride, Int * w, Float & scale, Float & minimum) {
        Int q[4];
        Lanes::weights(p + 4, stride, q);
        split(Lanes::words(p, stride), q, w, scale, minimum);
    }
    static LOCALSPEC_INLINE void split(Int head, const Int * q, Int * w, Float & scale, Float & minimum) {
        split_nibbles(q, w);
        scale = Lanes::low_half(head);
        minimum = Lanes::high_half(head);
    }
};

struct Q8_0 : Blocks32<34, Range::signed_byte, 0, false> {
    static LOCALSPEC_INLINE void read(const uint8_t * p, size_t stride, Int * w, Float & scale, Float &) {
        Lanes::weights(p + 2, stride, w);
        Lanes::weights(p + 18, stride, w + 4);
        LOCALSPEC_UNROLL
        for (int j = 0; j < 8; ++j) w[j] = Lanes::signed_bytes(w[j]);
        scale = Lanes::low_half(Lanes::words(p, stride));
    }
};

// Calls job(number, registers of bytes, scales, minima) for each block of a panel.
template <class T, class Job> LOCALSPEC_INLINE void each_block(const uint8_t * p, size_t stride, int blocks, Prefetch & ahead, const Job & job) {
    Int w[8];
    Float scale, minimum;
    int b = 0;
    if constexpr (std::is_same_v<T, Q4_1> && Lanes::by_columns) {
        for (; b + 4 <= blocks; b += 4) {  // four blocks are five times 16 bytes
            Int x[20];
            LOCALSPEC_UNROLL
            for (int i = 0; i < 5; ++i) Lanes::columns(p + b * 20 + 16 * i, stride, x + 4 * i);
            LOCALSPEC_UNROLL
            for (int i = 0; i < 4; ++i) {
                ahead.next(T::block_bytes * Lanes::rows);
                T::split(x[5 * i], x + 5 * i + 1, w, scale, minimum);
                job(b + i, w, scale, minimum);
            }
        }
    }
    for (; b < blocks; ++b) {
        ahead.next(T::block_bytes * Lanes::rows);
        T::read(p + b * T::block_bytes, stride, w, scale, minimum);
        job(b, w, scale, minimum);
    }
}

// A format of super-blocks of 256. head() reads scales, each_group() calls job(number, 16 registers) for 64 values each.
template <int BYTES, Range RANGE, int OFFSET, bool MIN, int SUB> struct Blocks256 {
    static constexpr int block = 256, block_bytes = BYTES, offset = OFFSET, sub_block = SUB;
    // Which sub-block is the n-th in the panel, and in the sum.
    static constexpr int place(int n) { return n; }
    static constexpr Range range = RANGE;
    static constexpr bool has_min = MIN;
    using Row = Row256;
    using Panel = PanelK;
};

// The head that Q4_K and Q5_K share: d, dmin and eight scales and minima of 6 bits.
LOCALSPEC_INLINE void read_head(const uint8_t * p, size_t stride, PanelK & panel) {
    Int head[4];
    Lanes::columns(p, stride, head);
    panel.d = Lanes::low_half(head[0]);
    panel.dmin = Lanes::high_half(head[0]);
    const Int six = Lanes::bytes(0x3f), four = Lanes::bytes(0x0f), two = Lanes::bytes(0x03);
    const auto upper = [&](Int x) { return Lanes::left<4>(Lanes::both(Lanes::right<6>(x), two)); };
    const Int scales[2] = {Lanes::both(head[1], six), Lanes::either(Lanes::both(head[3], four), upper(head[1]))};
    const Int minima[2] = {Lanes::both(head[2], six),
                           Lanes::either(Lanes::both(Lanes::right<4>(head[3]), four), upper(head[2]))};
    for (int i = 0; i < 2; ++i) {
        panel.scale[4 * i] = Lanes::byte<0>(scales[i]);
        panel.scale[4 * i + 1] = Lanes::byte<1>(scales[i]);
        panel.scale[4 * i + 2] = Lanes::byte<2>(scales[i]);
        panel.scale[4 * i + 3] = Lanes::byte<3>(scales[i]);
        panel.minima[2 * i] = Lanes::pair<0>(minima[i]);
        panel.minima[2 * i + 1] = Lanes::pair<16>(minima[i]);
    }
}

struct Q4_K : Blocks256<144, Range::nibble, 0, true, 32> {
    static LOCALSPEC_INLINE void head(const uint8_t * p, size_t stride, PanelK & panel) { read_head(p, stride, panel); }
    template <class Job> static LOCALSPEC_INLINE void each_group(const uint8_t * p, size_t stride, Prefetch & ahead, const Job & job) {
        for (int g = 0; g < 4; ++g) {
            ahead.next(block_bytes / 4 * Lanes::rows);
            Int w[16];
            LOCALSPEC_UNROLL
            for (int half = 0; half < 2; ++half) {
                Int q[4];
                Lanes::weights(p + 16 + 32 * g + 16 * half, stride, q);
                LOCALSPEC_UNROLL
                for (int j = 0; j < 4; ++j) {
                    w[4 * half + j] = Lanes::both(q[j], Lanes::bytes(15));
                    w[4 * half + 8 + j] = Lanes::both(Lanes::right<4>(q[j]), Lanes::bytes(15));
                }
            }
            job(g, w);
        }
    }
};

struct Q5_K : Blocks256<176, Range::five_bits, 0, true, 32> {
    static LOCALSPEC_INLINE void head(const uint8_t * p, size_t stride, PanelK & panel) { read_head(p, stride, panel); }
    template <class Job> static LOCALSPEC_INLINE void each_group(const uint8_t * p, size_t stride, Prefetch & ahead, const Job & job) {
        alignas(64) Int high[8];
        LOCALSPEC_UNROLL
        for (int half = 0; half < 2; ++half) Lanes::weights(p + 16 + 16 * half, stride, high + 4 * half);
        for (int g = 0; g < 4; ++g) {
            ahead.next(block_bytes / 4 * Lanes::rows);
            Int w[16];
            LOCALSPEC_UNROLL
            for (int half = 0; half < 2; ++half) {
                Int q[4];
                Lanes::weights(p + 48 + 32 * g + 16 * half, stride, q);
                LOCALSPEC_UNROLL
                for (int j = 0; j < 4; ++j) {
                    Int & bits = high[4 * half + j];  // the lowest two are this group's
                    const Int fifth = Lanes::left<4>(Lanes::both(bits, Lanes::bytes(1)));
                    const Int next = Lanes::left<3>(Lanes::both(bits, Lanes::bytes(2)));
                    bits = Lanes::right<2>(bits);
                    w[4 * half + j] = Lanes::either(Lanes::both(q[j], Lanes::bytes(15)), fifth);
                    w[4 * half + 8 + j] = Lanes::either(Lanes::both(Lanes::right<4>(q[j]), Lanes::bytes(15)), next);
                }
            }
            job(g, w);
        }
    }
};

struct Q6_K : Blocks256<210, Range::six_bits, 32, false, 16> {
    // Of 128 values those come first whose bits are read together.
    static constexpr int place(int n) { return n / 8 * 8 + n % 4 * 2 + n / 4 % 2; }
    template <class Job> static LOCALSPEC_INLINE void each_group(const uint8_t * p, size_t stride, Prefetch & ahead, const Job & job) {
        const Int four = Lanes::bytes(15), two = Lanes::bytes(0x30);
        for (int g = 0; g < 4; ++g) {  // half of 128 values: four sub-blocks
            ahead.next((block_bytes + 6) / 4 * Lanes::rows);
            const int n = g / 2, half = g % 2;
            Int w[16], low[4], middle[4], high[4];
            Lanes::weights(p + 64 * n + 16 * half, stride, low);
            Lanes::weights(p + 64 * n + 32 + 16 * half, stride, middle);
            Lanes::weights(p + 128 + 32 * n + 16 * half, stride, high);
            LOCALSPEC_UNROLL
            for (int j = 0; j < 4; ++j) {
                const Int a = low[j], b = middle[j], h = high[j];
                w[j] = Lanes::either(Lanes::both(a, four), Lanes::both(Lanes::left<4>(h), two));
                w[4 + j] = Lanes::either(Lanes::both(b, four), Lanes::both(Lanes::left<2>(h), two));
                w[8 + j] = Lanes::either(Lanes::both(Lanes::right<4>(a), four), Lanes::both(h, two));
                w[12 + j] = Lanes::either(Lanes::both(Lanes::right<4>(b), four), Lanes::both(Lanes::right<2>(h), two));
            }
            job(g, w);
        }
    }
    static LOCALSPEC_INLINE void head(const uint8_t * p, size_t stride, PanelK & panel) {
        Int s[4];
        Lanes::columns(p + 192, stride, s);
        for (int n = 0; n < 2; ++n) {
            for (int i = 0; i < 2; ++i) {
                const Int four = s[2 * n + i];
                panel.scale[8 * n + 2 * i] = Lanes::signed_byte<0>(four);
                panel.scale[8 * n + 2 * i + 4] = Lanes::signed_byte<1>(four);
                panel.scale[8 * n + 2 * i + 1] = Lanes::signed_byte<2>(four);
                panel.scale[8 * n + 2 * i + 5] = Lanes::signed_byte<3>(four);
            }
        }
        Int tail[4];
        Lanes::columns(p + 194, stride, tail);
        panel.d = Lanes::high_half(tail[3]);
    }
};

// ---- P decoded panels × C rows of activations, up to 256 values ----

template <class T, int C>
LOCALSPEC_INLINE void multiply_chunk(const typename T::Panel * panel, int blocks, const Row32 * a, float * sums) {
    constexpr int P = Lanes::panels, R = Lanes::rows;
    constexpr size_t apart = sizeof(typename T::Panel) / sizeof(Int);
    Float sum[P][C];
    LOCALSPEC_UNROLL
    for (int p = 0; p < P; ++p) {
        LOCALSPEC_UNROLL
        for (int c = 0; c < C; ++c) sum[p][c] = Lanes::load(sums + (c * P + p) * R);
    }
    for (int b = 0; b < blocks; ++b) {
        Int t[P][C];
        Lanes::template dots<P, C, 8, T::range, T::offset != 0>(panel->w + 8 * b, apart, a->q + 32 * b, sizeof(Row32),
                                                                a->correction + b, t);
        LOCALSPEC_UNROLL
        for (int c = 0; c < C; ++c) {
            const Float scale = Lanes::all(a[c].scale[b]);
            if constexpr (T::has_min) {
                const Float total = Lanes::all(a[c].sum[b]);
                LOCALSPEC_UNROLL
                for (int p = 0; p < P; ++p) sum[p][c] = Lanes::fused(panel[p].minimum[b], total, sum[p][c]);
            }
            LOCALSPEC_UNROLL
            for (int p = 0; p < P; ++p) {
                sum[p][c] = Lanes::fused(Lanes::multiply(panel[p].scale[b], scale), Lanes::number(t[p][c]), sum[p][c]);
            }
        }
    }
    LOCALSPEC_UNROLL
    for (int p = 0; p < P; ++p) {
        LOCALSPEC_UNROLL
        for (int c = 0; c < C; ++c) Lanes::store(sums + (c * P + p) * R, sum[p][c]);
    }
}

// The end of a super-block: what its sub-blocks add up to, scaled, and the minima.
template <class T, int C, int P>
LOCALSPEC_INLINE void add_chunk(const PanelK * panel, const Float (&part)[P][C], const Row256 * a, float * sums) {
    LOCALSPEC_UNROLL
    for (int p = 0; p < P; ++p) {
        LOCALSPEC_UNROLL
        for (int c = 0; c < C; ++c) {
            float * const at = sums + (c * Lanes::panels + p) * Lanes::rows;
            Float sum = Lanes::load(at);
            if constexpr (T::has_min) {
                Int least = Lanes::no_sum();
                for (int i = 0; i < 4; ++i) least = Lanes::pairs(least, panel[p].minima[i], a[c].sums[i]);
                sum = Lanes::fused(Lanes::multiply(panel[p].dmin, Lanes::all(-a[c].scale)), Lanes::number(least), sum);
            }
            Lanes::store(at, Lanes::fused(Lanes::multiply(panel[p].d, Lanes::all(a[c].scale)), part[p][c], sum));
        }
    }
}

template <class T, int C>
LOCALSPEC_INLINE void multiply_chunk(const PanelK * panel, int, const Row256 * a, float * sums) {
    constexpr int P = Lanes::panels, groups = T::sub_block / 4, count = 256 / T::sub_block;
    constexpr size_t apart = sizeof(PanelK) / sizeof(Int);
    Float part[P][C];
    LOCALSPEC_UNROLL
    for (int p = 0; p < P; ++p) {
        LOCALSPEC_UNROLL
        for (int c = 0; c < C; ++c) part[p][c] = Lanes::zero();
    }
    for (int s = 0; s < count; ++s) {
        Int t[P][C];
        Lanes::template dots<P, C, groups, T::range, T::offset != 0>(panel->w + groups * s, apart, a->q + T::sub_block * T::place(s),
                                                                     sizeof(Row256), a->correction + T::place(s), t);
        LOCALSPEC_UNROLL
        for (int p = 0; p < P; ++p) {
            const Float scale = panel[p].scale[s];
            LOCALSPEC_UNROLL
            for (int c = 0; c < C; ++c) part[p][c] = Lanes::fused(Lanes::number(t[p][c]), scale, part[p][c]);
        }
    }
    add_chunk<T, C, P>(panel, part, a, sums);
}

// ---- the same sums for few rows, with weights that stay in registers between decoding and multiplying ----

// Calls job(first row, number of rows) for C rows, at most `together` at a time.
template <int C, class Job> LOCALSPEC_INLINE void by_registers(const Job & job) {
    constexpr int some = C < Lanes::together ? C : Lanes::together;
    job(std::integral_constant<int, 0>(), std::integral_constant<int, some>());
    if constexpr (C > some) job(std::integral_constant<int, some>(), std::integral_constant<int, C - some>());
}

template <class T, int C>
LOCALSPEC_INLINE void multiply_at_once(const uint8_t * p, size_t stride, int, Prefetch & ahead, const Row256 * a, float * sums) {
    PanelK panel;
    Float part[1][C];
    LOCALSPEC_UNROLL
    for (int c = 0; c < C; ++c) part[0][c] = Lanes::zero();
    T::head(p, stride, panel);
    T::each_group(p, stride, ahead, [&](int g, const Int * w) LOCALSPEC_INLINED {
        constexpr int subs = 64 / T::sub_block;
        LOCALSPEC_UNROLL
        for (int i = 0; i < subs; ++i) {
            const int s = subs * g + i, at = T::place(s);
            const Float scale = panel.scale[s];
            by_registers<C>([&](auto first, auto count) LOCALSPEC_INLINED {
                constexpr int F = decltype(first)::value, N = decltype(count)::value, groups = T::sub_block / 4;
                Int t[1][N];
                Lanes::template dots<1, N, groups, T::range, T::offset != 0>(w + groups * i, 0, a[F].q + T::sub_block * at, sizeof(Row256),
                                                                             a[F].correction + at, t);
                LOCALSPEC_UNROLL
                for (int c = 0; c < N; ++c) part[0][F + c] = Lanes::fused(Lanes::number(t[0][c]), scale, part[0][F + c]);
            });
        }
    });
    add_chunk<T, C, 1>(&panel, part, a, sums);
}

template <class T, int C>
LOCALSPEC_INLINE void multiply_at_once(const uint8_t * p, size_t stride, int blocks, Prefetch & ahead, const Row32 * a, float * sums) {
    Float sum[C];
    LOCALSPEC_UNROLL
    for (int c = 0; c < C; ++c) sum[c] = Lanes::load(sums + c * Lanes::panels * Lanes::rows);
    each_block<T>(p, stride, blocks, ahead, [&](int b, const Int * w, Float scale, Float minimum) LOCALSPEC_INLINED {
        by_registers<C>([&](auto first, auto count) LOCALSPEC_INLINED {
            constexpr int F = decltype(first)::value, N = decltype(count)::value;
            Int t[1][N];
            Lanes::template dots<1, N, 8, T::range, T::offset != 0>(w, 0, a[F].q + 32 * b, sizeof(Row32), a[F].correction + b, t);
            LOCALSPEC_UNROLL
            for (int c = 0; c < N; ++c) {
                Float & to = sum[F + c];
                if constexpr (T::has_min) to = Lanes::fused(minimum, Lanes::all(a[F + c].sum[b]), to);
                to = Lanes::fused(Lanes::multiply(scale, Lanes::all(a[F + c].scale[b])), Lanes::number(t[0][c]), to);
            }
        });
    });
    LOCALSPEC_UNROLL
    for (int c = 0; c < C; ++c) Lanes::store(sums + c * Lanes::panels * Lanes::rows, sum[c]);
}

template <class T, int C>
LOCALSPEC_INLINE void multiply_rest(const typename T::Panel * panel, int blocks, const typename T::Row * a, int n, float * sums) {
    if constexpr (C > 0) {
        if (n == C) {
            multiply_chunk<T, C>(panel, blocks, a, sums);
        } else {
            multiply_rest<T, C - 1>(panel, blocks, a, n, sums);
        }
    }
}

// ---- rows of activations ----

template <class T> LOCALSPEC_INLINE void pack_chunk(const float * x, int count, Row32 & row) {
    constexpr int32_t offset = T::range == Range::signed_byte ? Lanes::byte_offset : T::offset;
    for (int b = 0; b < count / 32; ++b) {
        const float largest = Lanes::largest(x + 32 * b, 32);
        const float scale = largest / 127.f;
        const float factor = largest != 0.f ? 127.f / largest : 0.f;
        int32_t sum = Lanes::quantize16(x + 32 * b, factor, row.q + 32 * b);
        sum += Lanes::quantize16(x + 32 * b + 16, factor, row.q + 32 * b + 16);
        row.scale[b] = Lanes::half_rounded(scale);
        if constexpr (T::has_min) {
            row.sum[b] = Lanes::half_rounded(scale * static_cast<float>(sum));
        } else {
            row.correction[b] = -offset * sum;
        }
    }
}

template <class T> LOCALSPEC_INLINE void pack_chunk(const float * x, int, Row256 & row) {
    const float largest = Lanes::largest(x, 256);
    if (largest == 0.f) {
        std::memset(&row, 0, sizeof row);
        return;
    }
    float signed_largest = 0.f;  // the first of this size, as llama.cpp takes it
    for (int i = 0; i < 256; ++i) {
        if (x[i] == largest || x[i] == -largest) {
            signed_largest = x[i];
            break;
        }
    }
    const float factor = -127.f / signed_largest;
    int32_t sums[16];
    for (int i = 0; i < 16; ++i) {
        sums[i] = Lanes::quantize16(x + 16 * i, factor, row.q + 16 * i);
        row.correction[i] = -T::offset * sums[i];
    }
    for (int i = 0; i < 4; ++i) {
        const uint32_t low = static_cast<uint16_t>(sums[4 * i] + sums[4 * i + 1]);
        const uint32_t high = static_cast<uint16_t>(sums[4 * i + 2] + sums[4 * i + 3]);
        row.sums[i] = static_cast<int32_t>(low | high << 16);
    }
    row.scale = 1.f / factor;
}

inline int64_t chunks(int64_t k) { return (k + CHUNK - 1) / CHUNK; }

// Packed activations: chunk by chunk, the rows of a chunk one after the other.
template <class T> void pack_rows(const Product & p, void * packed, int64_t index, int64_t parts) {
    const int64_t jobs = p.n * chunks(p.k);
    for (int64_t job = jobs * index / parts; job < jobs * (index + 1) / parts; ++job) {
        const int64_t row = job % p.n, chunk = job / p.n;
        const float * x = reinterpret_cast<const float *>(p.rows + row * p.row_stride) + chunk * CHUNK;
        const int64_t left = p.k - chunk * CHUNK;
        pack_chunk<T>(x, static_cast<int>(left < CHUNK ? left : CHUNK), static_cast<typename T::Row *>(packed)[job]);
    }
}

// ---- the product ----

constexpr int64_t TILE = 512;  // rows of activations whose sums are kept while a panel is computed

template <class T> LOCALSPEC_INLINE void decode_chunk(const uint8_t * p, size_t stride, int blocks, typename T::Panel * panel, Prefetch & ahead) {
    for (int i = 0; i < Lanes::panels; ++i) {
        typename T::Panel & to = panel[i];
        const uint8_t * const from = p + i * Lanes::rows * stride;
        if constexpr (T::block == 32) {
            each_block<T>(from, stride, blocks, ahead, [&](int b, const Int * w, Float scale, Float minimum) LOCALSPEC_INLINED {
                LOCALSPEC_UNROLL
                for (int j = 0; j < 8; ++j) Lanes::store(to.w + 8 * b + j, w[j]);
                to.scale[b] = scale;
                if constexpr (T::has_min) to.minimum[b] = minimum;
            });
        } else {
            T::head(from, stride, to);
            T::each_group(from, stride, ahead, [&](int g, const Int * w) LOCALSPEC_INLINED {
                LOCALSPEC_UNROLL
                for (int j = 0; j < 16; ++j) Lanes::store(to.w + 16 * g + j, w[j]);
            });
        }
    }
}

// C rows, or fewer, by the ways above.
template <class T, int C>
LOCALSPEC_INLINE void few_at_once(const uint8_t * p, size_t stride, int blocks, Prefetch & ahead, const typename T::Row * a, int n, float * sums) {
    if constexpr (C > 0) {
        if (n < C) return few_at_once<T, C - 1>(p, stride, blocks, ahead, a, n, sums);
        for (int i = 0; i < Lanes::panels; ++i) {
            multiply_at_once<T, C>(p + i * Lanes::rows * stride, stride, blocks, ahead, a, sums + i * Lanes::rows);
        }
    }
}

template <class T> void multiply_rows(const Product & p, const void * packed, int64_t first, int64_t last) {
    constexpr int R = Lanes::rows * Lanes::panels, C = Lanes::together;
    constexpr int chunk_bytes = CHUNK / T::block * T::block_bytes;
    alignas(64) float sums[TILE * R];
    alignas(64) typename T::Panel panel[Lanes::panels];
    const int64_t count = chunks(p.k);
    const char * const end = p.weights + last * p.weight_stride;
    for (int64_t n0 = 0; n0 < p.n; n0 += TILE) {
        const int64_t n = p.n - n0 < TILE ? p.n - n0 : TILE;
        for (int64_t m0 = first; m0 < last; m0 += R) {
            const int rows = static_cast<int>(last - m0 < R ? last - m0 : R);
            const char * weights = p.weights + m0 * p.weight_stride;
            Prefetch ahead{weights + 2 * R * p.weight_stride, end};
            std::memset(sums, 0, n * R * sizeof(float));
            for (int64_t chunk = 0; chunk < count; ++chunk) {
                const int64_t left = p.k - chunk * CHUNK;
                const int blocks = static_cast<int>((left < CHUNK ? left : CHUNK) / T::block);
                const uint8_t * w = reinterpret_cast<const uint8_t *>(weights) + chunk * chunk_bytes;
                const auto * a = static_cast<const typename T::Row *>(packed) + chunk * p.n + n0;
                if (n <= Lanes::at_once && rows == R) {
                    few_at_once<T, Lanes::at_once>(w, p.weight_stride, blocks, ahead, a, static_cast<int>(n), sums);
                    continue;
                }
                if (rows == R) {
                    decode_chunk<T>(w, p.weight_stride, blocks, panel, ahead);
                } else {  // the last rows of a matrix: beside them zeros
                    alignas(64) uint8_t copy[R * chunk_bytes] = {};
                    for (int r = 0; r < rows; ++r) {
                        std::memcpy(copy + r * chunk_bytes, w + r * p.weight_stride, blocks * T::block_bytes);
                    }
                    decode_chunk<T>(copy, chunk_bytes, blocks, panel, ahead);
                }
                int64_t c = 0;
                for (; c + C <= n; c += C) multiply_chunk<T, C>(panel, blocks, a + c, sums + c * R);
                multiply_rest<T, C - 1>(panel, blocks, a + c, static_cast<int>(n - c), sums + c * R);
            }
            for (int64_t c = 0; c < n; ++c) {
                float * out = reinterpret_cast<float *>(p.out + (n0 + c) * p.out_stride) + m0;
                for (int r = 0; r < rows; r += Lanes::rows) Lanes::store_some(out + r, Lanes::load(sums + c * R + r), rows - r);
            }
        }
    }
}

}  // namespace
}  // namespace localspec
