# Values of R's mice for tests/evaluation/test_pooling.py, by hand where mice is installed:
#   Rscript tests/reference/pooling.R
suppressMessages(library(mice))
options(digits = 12)
estimates <- c(1.21, 1.05, 1.34, 1.12, 1.27)
variances <- c(0.041, 0.038, 0.052, 0.044, 0.047)
for (n in c(Inf, 91)) { # dfcom = n - k = n - 1
  pooled <- pool.scalar(estimates, variances, n = n, k = 1)
  half <- qt(.975, pooled$df) * sqrt(pooled$t)
  cat(n - 1, pooled$qbar, pooled$qbar - half, pooled$qbar + half, pooled$df, pooled$fmi, "\n")
}
