// NEON with dot products of bytes: Apple silicon, and ARM servers and phones of the last years.
#include "lanes_neon.h"
#include "table.h"

namespace localspec {

const Kernels * neon_kernels() {
    static constexpr Kernels kernels = table("neon-dotprod");
    return &kernels;
}

}  // namespace localspec
