import Glibc
import InterprocessSystem

/// Commands about the kernel's facilities.
let systemCommands: [String: Command] = [
    "exit": { arguments in exit(CInt(try arguments.number(0))) },
    "sleep": { _ in while true { pause() } },
]
