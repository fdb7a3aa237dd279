// Elementary functions in float32 arithmetic, the same as the CPU backend's to a few units in the last place.
#pragma once
#include "device.cuh"

constexpr float Infinity = __builtin_inff();
constexpr float LowestFloat = -3.40282347e+38f;

DEVICE float power_of_two(int exponent) { return bits_as<float>((uint32_t)(exponent + 127) << 23); }

// e^x within 2 units in the last place; 0 below about -87, infinity above about 88, NaN for NaN.
DEVICE float exponential(float x) {
    if (!(x >= -87.33f)) {
        return x != x ? x : 0.0f;
    }
    if (x > 88.722f) {
        return Infinity;
    }
    // x = n ln 2 + r with |r| <= ln 2 / 2, ln 2 in two parts; e^r by its Taylor series to r^7, whose remainder is below 6e-9.
    float n = __builtin_floorf(multiply_add(x, 1.44269504f, 0.5f));
    float r = multiply_add(n, -0.693359375f, x);
    r = multiply_add(n, 2.12194440e-4f, r);
    float p = 1.0f / 5040;
    p = multiply_add(p, r, 1.0f / 720);
    p = multiply_add(p, r, 1.0f / 120);
    p = multiply_add(p, r, 1.0f / 24);
    p = multiply_add(p, r, 1.0f / 6);
    p = multiply_add(p, r, 0.5f);
    p = multiply_add(p, r, 1.0f);
    p = multiply_add(p, r, 1.0f);
    // n reaches 128, one more than an exponent holds: 2^n in two factors.
    int whole = (int)n;
    int half = whole >> 1;
    return p * power_of_two(half) * power_of_two(whole - half);
}

DEVICE float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }

DEVICE float hyperbolic_tangent(float x) {
    float magnitude = __builtin_fabsf(x);
    float result;
    if (magnitude < 0.625f) {
        // Here the quotient of exponentials cancels: x + x^3 P(x^2), fitted at Chebyshev nodes.
        float square = magnitude * magnitude;
        float p = 0.00229584076f;
        p = multiply_add(p, square, -0.00834697951f);
        p = multiply_add(p, square, 0.0217699613f);
        p = multiply_add(p, square, -0.0539594069f);
        p = multiply_add(p, square, 0.133333042f);
        p = multiply_add(p, square, -0.333333343f);
        result = multiply_add(p * square, magnitude, magnitude);
    } else {
        result = 1.0f - 2.0f / (exponential(magnitude + magnitude) + 1.0f);
    }
    return __builtin_copysignf(result, x);
}

// The error function within 2e-7: below 1 its odd series, above 1 - e^(-x^2) Q(1 / (1 + x/2)), both fitted.
DEVICE float error_function(float x) {
    float magnitude = __builtin_fabsf(x);
    float square = magnitude * magnitude;
    float result;
    if (magnitude < 1.0f) {
        float p = -9.6735821e-06f;
        p = multiply_add(p, square, 0.000112682508f);
        p = multiply_add(p, square, -0.000848439639f);
        p = multiply_add(p, square, 0.00522105349f);
        p = multiply_add(p, square, -0.0268654376f);
        p = multiply_add(p, square, 0.112837829f);
        p = multiply_add(p, square, -0.376126379f);
        p = multiply_add(p, square, 1.12837923f);
        result = p * magnitude;
    } else {
        float t = 1.0f / multiply_add(magnitude, 0.5f, 1.0f);
        float q = 0.110932857f;
        q = multiply_add(q, t, -0.44217205f);
        q = multiply_add(q, t, 0.520808458f);
        q = multiply_add(q, t, -0.0694804043f);
        q = multiply_add(q, t, 0.331524372f);
        q = multiply_add(q, t, 0.264292866f);
        q = multiply_add(q, t, 0.284197122f);
        q = multiply_add(q, t, -0.000107110776f);
        result = 1.0f - exponential(-square) * q;
    }
    return __builtin_copysignf(result, x);
}
