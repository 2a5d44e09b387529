// Multiplies random matrices with every table that is compiled in and that this processor can run, and prints a line for
// each: "avx2: same", what differs, or "not on this processor". The first that runs is what the others are held against.
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "ggml.h"
#include "kernels.h"
#include "processor.h"

namespace localspec {

const Kernels * avx_vnni_of_avx512_kernels();  // isa_avx_vnni.cpp with the instruction that AVX-512 has for the same

}

using namespace localspec;

namespace {

struct Kind {
    const char * name;
    int type, block, bytes;
    std::vector<int> halves;  // where a block has 16-bit floats
    bool exact;               // the same bits on every instruction set
};

const Kind KINDS[] = {
    {"Q4_0", GGML_TYPE_Q4_0, 32, 18, {0}, true},         {"Q4_1", GGML_TYPE_Q4_1, 32, 20, {0, 2}, true},
    {"Q8_0", GGML_TYPE_Q8_0, 32, 34, {0}, true},         {"Q4_K", GGML_TYPE_Q4_K, 256, 144, {0, 2}, true},
    {"Q5_K", GGML_TYPE_Q5_K, 256, 176, {0, 2}, true},    {"Q6_K", GGML_TYPE_Q6_K, 256, 210, {208}, true},
    {"F16", GGML_TYPE_F16, 1, 2, {0}, false},            {"BF16", GGML_TYPE_BF16, 1, 2, {0}, false},
    {"F32", GGML_TYPE_F32, 1, 4, {2}, false},
};
const int SHAPES[][2] = {{1, 256}, {5, 512}, {17, 768}, {40, 1280}, {33, 96}, {9, 32}, {31, 288}, {7, 100}, {19, 33}};
constexpr int ROWS = 33;

uint32_t state = 1;
uint32_t random_bits() { return state = state * 1664525u + 1013904223u, state >> 8; }

struct Matrices {
    std::vector<uint8_t> weights;
    std::vector<float> rows;
    Product product{};

    Matrices(const Kind & kind, int m, int k) : weights(static_cast<size_t>(m) * k / kind.block * kind.bytes + 16), rows(ROWS * k) {
        for (uint8_t & byte : weights) byte = static_cast<uint8_t>(random_bits());
        for (size_t at = 0; at + kind.bytes <= weights.size(); at += kind.bytes) {
            for (const int half : kind.halves) {  // neither infinite nor tiny, whichever 16-bit float it is
                const uint16_t value = static_cast<uint16_t>((random_bits() & 0x83ff) | 0x3c00);
                std::memcpy(weights.data() + at + half, &value, 2);
            }
        }
        for (float & x : rows) x = static_cast<float>(random_bits() & 0xffff) / 32768.f - 1.f;
        for (int n = 0; n < ROWS; ++n) rows[n * k + k / 3] *= 30.f;
        std::memset(rows.data() + 16 * k, 0, k * sizeof(float));
        product.type = kind.type;
        product.m = m;
        product.k = k;
        product.weights = reinterpret_cast<const char *>(weights.data());
        product.weight_stride = static_cast<size_t>(k / kind.block) * kind.bytes;
        product.row_stride = k * sizeof(float);
        product.out_stride = m * sizeof(float);
    }
};

std::vector<float> multiply(const Kernels & kernels, Product p, const float * rows, int n) {
    p.n = n;
    p.rows = reinterpret_cast<const char *>(rows);
    std::vector<float> out(n * p.m, -1.f);
    p.out = reinterpret_cast<char *>(out.data());
    std::vector<char> room(kernels.packed_size(p.type, n, p.k) + 64);
    char * const packed = reinterpret_cast<char *>((reinterpret_cast<size_t>(room.data()) + 63) / 64 * 64);
    for (int part = 0; part < 2; ++part) kernels.pack(p, packed, part, 2);
    const int64_t middle = p.m / 2 / kernels.panel(p.type) * kernels.panel(p.type);
    kernels.multiply(p, packed, 0, middle);
    kernels.multiply(p, packed, middle, p.m);
    return out;
}

// What is wrong with these kernels, or "same".
std::string check(const Kernels & kernels, const Kernels & expected) {
    state = 1;
    for (const Kind & kind : KINDS) {
        for (const auto & [m, k] : SHAPES) {
            if (k % kind.block) continue;
            const Matrices x(kind, m, k);
            const std::string where = std::string(kind.name) + " " + std::to_string(m) + " x " + std::to_string(k);
            if (!kernels.serves(kind.type, k)) return where + " is not served";
            std::vector<float> alone;
            for (int n = 0; n < ROWS; ++n) {
                for (const float y : multiply(kernels, x.product, x.rows.data() + n * k, 1)) alone.push_back(y);
            }
            for (int n = 1; n <= ROWS; ++n) {
                const int first = (ROWS - n) / 2;  // rows are not always the first of the batch
                const std::vector<float> together = multiply(kernels, x.product, x.rows.data() + first * k, n);
                if (std::memcmp(together.data(), alone.data() + first * m, together.size() * sizeof(float)) != 0) {
                    return where + ": " + std::to_string(n) + " rows differ from single ones";
                }
            }
            const std::vector<float> right = multiply(expected, x.product, x.rows.data(), ROWS);
            for (size_t i = 0; i < right.size(); ++i) {
                const float apart = alone[i] - right[i], size = right[i] < 0.f ? -right[i] : right[i];
                const bool near = (apart < 0.f ? -apart : apart) <= 1e-3f * (size + static_cast<float>(k));
                if (kind.exact ? std::memcmp(&alone[i], &right[i], sizeof(float)) != 0 : !near) {
                    return where + ": differs from " + expected.name;
                }
            }
        }
    }
    return "same";
}

}  // namespace

int main() {
    const Processor & can = processor();
    const Kernels * expected = nullptr;
    const auto test = [&](const char * name, bool can_run, const Kernels * (*kernels_of)()) {
        if (!can_run) {
            std::printf("%s: not on this processor\n", name);
            return;
        }
        const Kernels & kernels = *kernels_of();
        if (!expected) expected = &kernels;
        std::printf("%s: %s\n", name, check(kernels, *expected).c_str());
    };
    (void)can;
    (void)test;
#if defined(LOCALSPEC_AVX2)
    test("avx2", can.avx2, avx2_kernels);
#endif
#if defined(LOCALSPEC_AVX_VNNI)
    test("avx-vnni", can.avx_vnni, avx_vnni_kernels);
#endif
#if defined(LOCALSPEC_AVX_VNNI_OF_AVX512)
    test("avx-vnni of avx512", can.avx512, avx_vnni_of_avx512_kernels);
#endif
#if defined(LOCALSPEC_NEON)
    test("neon-dotprod", can.dotprod, neon_kernels);
#endif
#if defined(LOCALSPEC_NEON_I8MM)
    test("neon-i8mm", can.i8mm, neon_i8mm_kernels);
#endif
    return 0;
}
