# The lecture's hidden-layer loop by hand in R, one example a column, as in its section 6: `Rscript hidden.R FOLDER RATE STEPS TIMES`.
# Reads x, y, W1, b1, W2, b2 from the folder, writes result (the costs) there, prints the seconds of each of TIMES runs.
given <- commandArgs(TRUE)
read <- function(name) as.matrix(read.table(file.path(given[1], name)))
rate <- as.numeric(given[2]); steps <- as.integer(given[3]); times <- as.integer(given[4])
X <- read("x"); Y <- read("y"); n <- ncol(X)
sigmoid <- function(z) 1 / (1 + exp(-z))

descend <- function() {
  W1 <- read("W1"); b1 <- read("b1"); W2 <- read("W2"); b2 <- read("b2")
  costs <- numeric(steps)
  seconds <- system.time(for (step in 1:steps) {
    A1 <- sigmoid(W1 %*% X + as.vector(b1))
    A2 <- sigmoid(W2 %*% A1 + as.vector(b2))
    costs[step] <- -sum(Y * log(A2) + (1 - Y) * log(1 - A2)) / n
    dZ2 <- (A2 - Y) / n
    dZ1 <- (t(W2) %*% dZ2) * A1 * (1 - A1)
    W1 <- W1 - rate * dZ1 %*% t(X)
    b1 <- b1 - rate * rowSums(dZ1)
    W2 <- W2 - rate * dZ2 %*% t(A1)
    b2 <- b2 - rate * rowSums(dZ2)
  })[["elapsed"]]
  list(costs = costs, seconds = seconds)
}

runs <- lapply(seq_len(times), function(i) descend())
write(format(runs[[1]]$costs, digits = 17), file.path(given[1], "result"), ncolumns = 1)
cat(sapply(runs, `[[`, "seconds"), "\n")
