/* The operations of simd.h for NEON (AArch64): vectors of four lanes, 32 registers. */
#ifndef QUEST22_SIMD_NEON_H
#define QUEST22_SIMD_NEON_H

INLINE f32v load_i8_as_f32(const int8_t *from)
{
    int32_t four;
    memcpy(&four, from, sizeof four);
    int16x8_t wide = vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four)));
    return (f32v)vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide)));
}

/* Not vcvt_f32_f16, which reads a register of the system: GCC 12 stores sums for it in every turn of a
   loop. */
INLINE f32v load_f16_as_f32(const f16 *from)
{
    float16x4_t halves;
    float32x4_t value;
    memcpy(&halves, from, sizeof halves);
    __asm__("fcvtl %0.4s, %1.4h" : "=w"(value) : "w"(halves));
    return (f32v)value;
}

INLINE void store_as_f16(f16 *to, f32v value)
{
    float16x4_t halves = vcvt_f16_f32((float32x4_t)value);
    memcpy(to, &halves, sizeof halves);
}

INLINE i16v load_i8_as_i16(const int8_t *from)
{
    int8x8_t bytes;
    memcpy(&bytes, from, sizeof bytes);
    return (i16v)vmovl_s8(bytes);
}

INLINE void store_as_i8(int8_t *to, i32v value)
{
    int16x4_t narrow = vmovn_s32((int32x4_t)value);
    int8x8_t bytes = vmovn_s16(vcombine_s16(narrow, narrow));
    memcpy(to, &bytes, LANES);
}

INLINE float reduce_add(f32v value) { return vaddvq_f32((float32x4_t)value); }

/* Not FMAX, which gives NaN where a is NaN: b where either is. */
INLINE f32v maximum(f32v a, f32v b) { return blend(a > b, a, b); }

INLINE f32v minimum(f32v a, f32v b) { return blend(a < b, a, b); }

INLINE f32v square_root(f32v x) { return (f32v)vsqrtq_f32((float32x4_t)x); }

INLINE f32v round_nearest(f32v x) { return (f32v)vrndnq_f32((float32x4_t)x); }

INLINE i32v round_to_i32(f32v x) { return (i32v)vcvtnq_s32_f32((float32x4_t)x); }

/* Sums + products of 16-bit integers, two in each lane, which are no neighbours here. */
INLINE i32v add_i16_products(i32v sums, i16v a, i16v b)
{
    int16x8_t left = (int16x8_t)a, right = (int16x8_t)b;
    int32x4_t low = vmlal_s16((int32x4_t)sums, vget_low_s16(left), vget_low_s16(right));
    return (i32v)vmlal_high_s16(low, left, right);
}

INLINE int32_t reduce_add_i32(i32v sums) { return vaddvq_s32((int32x4_t)sums); }

INLINE int64_t reduce_add_i64(i32v sums) { return vaddlvq_s32((int32x4_t)sums); }

/* SMLAL multiplies halves of vectors: a vector of pairs has all first numbers, then all second. */
INLINE i16v pair_vector(i32v first, i32v second)
{
    return (i16v)vmovn_high_s32(vmovn_s32((int32x4_t)first), (int32x4_t)second);
}

INLINE i16v pair_vector_of(i16v pairs)
{
    const uint8x16_t order = {0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15};
    return (i16v)vqtbl1q_s8((int8x16_t)pairs, order);
}

/* In the first lane alone, from which SMLAL takes it. A load into all lanes would take a turn of the
   pipelines that multiply (LD1R; Arm's optimization guides for Neoverse). */
INLINE i16v broadcast_pair(const uint32_t *pair)
{
    int16x8_t first_lane;
    __asm__("ldr %s0, %1" : "=w"(first_lane) : "m"(*pair));
    return (i16v)first_lane;
}

INLINE i32v add_pair_products(i32v sums, i16v pairs, i16v pair)
{
    int16x8_t both = (int16x8_t)pairs, factors = (int16x8_t)pair;
    int32x4_t low = vmlal_laneq_s16((int32x4_t)sums, vget_low_s16(both), factors, 0);
    return (i32v)vmlal_high_laneq_s16(low, both, factors, 1);
}

enum { QUAD_OFFSET = 0 };

INLINE i32v broadcast_quad(const uint32_t *quad) { return (i32v)broadcast_pair(quad); }

#if defined(QUEST22_DOTPROD)
#define HAS_QUAD_PRODUCTS 1

/* In assembly, as compilers do not agree on how to allow a single extension. */
INLINE i32v add_quad_products(i32v sums, i32v quads, i32v quad)
{
    __asm__(".arch armv8.2-a+dotprod\n\tsdot %0.4s, %1.16b, %2.4b[0]"
            : "+w"(sums) : "w"(quads), "w"(quad));
    return sums;
}
#endif

#endif
