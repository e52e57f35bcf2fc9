import CrashLab

// What the lab must find, and what it must not find anything in. The tests run this program as they would run `crashlab`.
CrashLab.main(librarySubjects + ownSubjects + stormedSubjects + interruptedSubjects + scheduledSubjects)
