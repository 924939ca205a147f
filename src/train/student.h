/* Student's t distribution. */
#ifndef TRAIN_STUDENT_H
#define TRAIN_STUDENT_H

/* P(|T| > t) with `freedom` > 0 degrees of freedom; infinite: the normal distribution. Relative error below 1e-12. */
double student_tails(double t, double freedom);
/* The t with P(|T| <= t) = confidence, 0 < confidence < 1. */
double student_quantile(double confidence, double freedom);

#endif
