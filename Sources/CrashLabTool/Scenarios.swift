import CrashLab

/// Every scenario of the library.
let allScenarios: [Scenario] = queueScenarios
