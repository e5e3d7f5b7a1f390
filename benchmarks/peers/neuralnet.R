# A fit by R's neuralnet on the circle, as in the lecture's section 7: `Rscript neuralnet.R FOLDER THRESHOLD STEPMAX HIDDEN TIMES`.
# Reads x, y, start from the folder, writes result (error, threshold reached, steps) there, prints each time's seconds.
library(neuralnet)
given <- commandArgs(TRUE)
read <- function(name) as.matrix(read.table(file.path(given[1], name)))
data <- data.frame(read("x"), read("y"))
names(data) <- c("x1", "x2", "y")

fit <- function() {
  seconds <- system.time(
    net <- neuralnet(y ~ x1 + x2, data, hidden = as.integer(given[4]), threshold = as.numeric(given[2]),
                     stepmax = as.numeric(given[3]), startweights = as.vector(read("start")), linear.output = FALSE)
  )[["elapsed"]]
  list(seconds = seconds, result = net$result.matrix[1:3])
}

runs <- lapply(seq_len(as.integer(given[5])), function(i) fit())
write(format(runs[[1]]$result, digits = 17), file.path(given[1], "result"), ncolumns = 1)
cat(sapply(runs, `[[`, "seconds"), "\n")
