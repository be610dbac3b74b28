# Values of R's rms for tests/evaluation/test_calibration_curve.py, by hand where rms is installed:
#   Rscript tests/reference/calibration_curve.R
# 600 rows without a random number: both languages make the same ones.
suppressMessages(library(rms))
i <- 0:599
x <- -1 + 1.5 * sin(i) + 0.8 * cos(2.3 * i)
p <- plogis(x)
u <- (i * 0.6180339887498949) %% 1
y <- as.integer(u < plogis(-0.4 + 0.7 * x + 0.15 * x^2))
patient <- i %/% 2
options(digits = 12)
for (k in 3:5) {
  at <- c("3" = list(c(.1, .5, .9)), "4" = list(c(.05, .35, .65, .95)),
          "5" = list(c(.05, .275, .5, .725, .95)))[[as.character(k)]]
  knots <- rcspline.eval(x, nk = k, knots.only = TRUE)
  stopifnot(max(abs(knots - quantile(x, at))) < 1e-12)
  fit <- lrm(y ~ rcs(x, knots), x = TRUE, y = TRUE, tol = 1e-14, eps = 1e-14, maxit = 100)
  robust <- robcov(fit, patient)
  ends <- plogis(quantile(x, c(.01, .99)))
  new <- data.frame(x = qlogis(seq(ends[1], ends[2], length.out = 101)[c(1, 26, 51, 76, 101)]))
  smooth <- plogis(predict(fit))
  distance <- abs(smooth - p)
  cat(k, "cases", sum(y), "\n")
  cat("curve", plogis(predict(fit, new)), "\n")
  cat("se", predict(robust, new, se.fit = TRUE)$se.fit, "\n")
  cat("distance", mean(distance), median(distance), quantile(distance, .9), "\n")
}
