# SPDX-License-Identifier: MIT
# Counts the cases of a TAP stream: "passed failed skipped". The variable status
# is the exit status of what printed it. A plan that was not met, a bad status
# without a failed case, and no case at all are failures.
/^[0-9]+\.\.[0-9]+/ {
  split($1, plan, "[.][.]")
  planned += plan[2] - plan[1] + 1
}
/^not ok/ { bad++; next }
/^ok .*# *[Ss][Kk][Ii][Pp]/ { skip++; next }
/^ok/ { good++ }
END {
  seen = good + bad + skip
  if (planned > seen) bad += planned - seen
  if ((status && !bad) || seen + bad == 0) bad++
  printf "%d %d %d\n", good, bad, skip
}
