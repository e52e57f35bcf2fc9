import CrashLab

CrashLab.main(allScenarios)
