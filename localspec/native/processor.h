// What the processor at hand can run, and lets programs run: asked once, the same way with every compiler.
#pragma once

#include <cstdint>

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#endif
#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace localspec {

struct Processor {
    bool avx2 = false;  // with all that -march=haswell may use beside it
    bool avx_vnni = false;
    bool avx512 = false;  // F, CD, BW, DQ, VL and VNNI
    bool avx512_bf16 = false;
    bool dotprod = false;
    bool i8mm = false;
};

#if defined(__x86_64__) || defined(_M_X64)

struct Leaf {
    uint32_t a = 0, b = 0, c = 0, d = 0;
};

inline Leaf cpuid(uint32_t leaf, uint32_t part = 0) {
    Leaf x;
#if defined(_MSC_VER) && !defined(__clang__)
    int all[4];
    __cpuidex(all, static_cast<int>(leaf), static_cast<int>(part));
    x.a = all[0], x.b = all[1], x.c = all[2], x.d = all[3];
#else
    __asm__("cpuid" : "=a"(x.a), "=b"(x.b), "=c"(x.c), "=d"(x.d) : "0"(leaf), "2"(part));
#endif
    return x;
}

// Registers that the system saves when it changes threads. Only where cpuid says OSXSAVE.
inline uint32_t saved_registers() {
#if defined(_MSC_VER) && !defined(__clang__)
    return static_cast<uint32_t>(_xgetbv(0));
#else
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
#endif
}

// A virtual machine can hide each feature, so each is asked for.
inline Processor ask_processor() {
    Processor can;
    const auto has = [](uint32_t word, int bit) { return (word >> bit & 1) != 0; };
    if (cpuid(0).a < 7 || cpuid(0x80000000).a < 0x80000001) return can;
    const Leaf basic = cpuid(1), more = cpuid(7);
    if (!has(basic.c, 27)) return can;  // OSXSAVE
    const uint32_t saved = saved_registers();
    const bool fma = has(basic.c, 12), movbe = has(basic.c, 22), popcnt = has(basic.c, 23), avx = has(basic.c, 28);
    const bool f16c = has(basic.c, 29), bmi = has(more.b, 3) && has(more.b, 8), lzcnt = has(cpuid(0x80000001).c, 5);
    can.avx2 = (saved & 0x06) == 0x06 && avx && has(more.b, 5) && fma && f16c && movbe && popcnt && bmi && lzcnt;
    const Leaf last = more.a >= 1 ? cpuid(7, 1) : Leaf();
    can.avx_vnni = can.avx2 && has(last.a, 4);
#if defined(__APPLE__)
    const bool kept = true;  // saved from their first use on, and not told before
#else
    const bool kept = (saved & 0xe0) == 0xe0;
#endif
    const bool f = has(more.b, 16), dq = has(more.b, 17), cd = has(more.b, 28), bw = has(more.b, 30), vl = has(more.b, 31);
    can.avx512 = can.avx2 && kept && f && dq && cd && bw && vl && has(more.c, 11);
    can.avx512_bf16 = can.avx512 && has(last.a, 5);
    return can;
}

#elif defined(__aarch64__) && defined(__APPLE__)

inline Processor ask_processor() {
    Processor can;
    can.dotprod = true;  // every Apple silicon has them
    int found = 0;
    size_t size = sizeof found;
    can.i8mm = sysctlbyname("hw.optional.arm.FEAT_I8MM", &found, &size, nullptr, 0) == 0 && found != 0;
    return can;
}

#elif defined(__aarch64__) && defined(__linux__)

inline Processor ask_processor() {
    Processor can;
    can.dotprod = (getauxval(AT_HWCAP) >> 20 & 1) != 0;               // HWCAP_ASIMDDP
    can.i8mm = can.dotprod && (getauxval(AT_HWCAP2) >> 13 & 1) != 0;  // HWCAP2_I8MM, which older headers lack
    return can;
}

#else

inline Processor ask_processor() { return {}; }

#endif

inline const Processor & processor() {
    static const Processor asked = ask_processor();
    return asked;
}

}  // namespace localspec
