// The lecture's hidden-layer loop in C, two inputs, four hidden nodes, one output: what a vectorising compiler makes of
// plain passes over the points. REAL is float or double. An array of its own for each input and hidden node.
#include <math.h>

enum { INPUTS = 2, HIDDEN = 4 };

#ifdef SINGLE
typedef float REAL;
#define EXP expf
#define LOG logf
#else
typedef double REAL;
#define EXP exp
#define LOG log
#endif

// Takes `steps` steps of gradient descent on w1 (hidden, inputs), b1, w2, b2; costs[s] is the cost before step s.
void descend(REAL *restrict w1, REAL *restrict b1, REAL *restrict w2, REAL *restrict b2, const REAL *restrict x,
             const REAL *restrict y, int n, REAL rate, int steps, REAL *restrict costs, REAL *restrict a,
             REAL *restrict dz2) {
    for (int s = 0; s < steps; s++) {
        for (int h = 0; h < HIDDEN; h++) {
            const REAL w = w1[h * INPUTS], v = w1[h * INPUTS + 1], b = b1[h];
#pragma omp simd
            for (int i = 0; i < n; i++) a[h * n + i] = 1 / (1 + EXP(-(w * x[i] + v * x[n + i] + b)));
        }
        REAL cost = 0, db2 = 0;
        const REAL b = *b2;
#pragma omp simd reduction(+ : cost, db2)
        for (int i = 0; i < n; i++) {
            REAL z = b;
            for (int h = 0; h < HIDDEN; h++) z += w2[h] * a[h * n + i];
            const REAL p = 1 / (1 + EXP(-z));
            cost -= LOG(y[i] == 1 ? p : 1 - p);
            dz2[i] = (p - y[i]) / n;
            db2 += dz2[i];
        }
        costs[s] = cost / n;
        for (int h = 0; h < HIDDEN; h++) {
            const REAL w = w2[h];
            REAL dw2 = 0, db1 = 0, dw = 0, dv = 0;
#pragma omp simd reduction(+ : dw2, db1, dw, dv)
            for (int i = 0; i < n; i++) {
                const REAL act = a[h * n + i], dz1 = w * dz2[i] * act * (1 - act);
                dw2 += act * dz2[i];
                db1 += dz1;
                dw += dz1 * x[i];
                dv += dz1 * x[n + i];
            }
            w1[h * INPUTS] -= rate * dw;
            w1[h * INPUTS + 1] -= rate * dv;
            b1[h] -= rate * db1;
            w2[h] -= rate * dw2;
        }
        *b2 -= rate * db2;
    }
}
