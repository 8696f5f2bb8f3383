// This process's memory as the system counts it. Thread-safe.
#pragma once

namespace qvl {

double resident_bytes();       // now (VmRSS)
double peak_resident_bytes();  // the most since the start or the last reset (VmHWM)
// False where the system does not let a process reset its peak.
bool reset_peak_resident_bytes();

}  // namespace qvl
