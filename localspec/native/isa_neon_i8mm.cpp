// NEON with products of 2 × 2 rows of bytes: Apple silicon from M2 on, and ARM servers of the last years.
#define LOCALSPEC_I8MM
#include "lanes_neon.h"
#include "table.h"

namespace localspec {

const Kernels * neon_i8mm_kernels() {
    static constexpr Kernels kernels = table("neon-i8mm");
    return &kernels;
}

}  // namespace localspec
