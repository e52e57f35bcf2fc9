import ArgumentParser
import Interprocess
import InterprocessSystem
import SystemPackage

/// `ipc handoff`.
struct HandoffCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "handoff", abstract: "Print the system calls that a handoff needs once it has been joined.",
        discussion: """
            For a process that takes turns with another and runs what nobody trusts: after it has joined, it can do without the file system, \
            the network, and all but the calls that are printed, with the reason for each. A Swift program installs the same filter by \
            SystemCallFilter(Handoff.systemCallsAfterSetUp, otherwise: .killProcess).install(), and adds what it needs itself.

            The format docker is a seccomp profile for containers. A container has its profile from its first instruction on, and joining needs \
            more: add these rules to the profile that the program starts with, and let it install the filter. The format bpf is the program \
            that the kernel runs at each call, disassembled: the code, the two skips and the constant of each instruction, and what they mean.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json, docker, bpf }
    enum Otherwise: String, ExpressibleByArgument, CaseIterable {
        case kill, refuse
        var action: SystemCallFilter.Action { self == .kill ? .killProcess : .refuse(.notPermitted) }
    }

    @Flag(help: "Print the filter of system calls (the one thing that there is to print).")
    var seccomp = false
    @Option(help: ArgumentHelp("A table, JSON, a profile for containers, or the program: text, json, docker, bpf.", valueName: "format"))
    var format = Format.text
    @Flag(help: "The same as --format json.")
    var json = false
    @Option(help: ArgumentHelp("What becomes of other calls: kill the process, or refuse the call (EPERM).", valueName: "kill|refuse"))
    var otherwise = Otherwise.kill
    @Option(
        help: ArgumentHelp("For which processor bpf is printed: x86-64, aarch64 (default: this one).", valueName: "name"),
        transform: parseArchitecture)
    var architecture: SystemCallFilter.Architecture?

    func validate() throws {
        if !seccomp { throw ValidationError("say what is to be printed: --seccomp") }
        if json && format != .text && format != .json {
            throw ValidationError("--json and --format \(format.rawValue) exclude one another")
        }
        if architecture != nil && (json || format != .bpf) { throw ValidationError("--architecture is for --format bpf") }
    }

    func run() throws {
        let filter = SystemCallFilter(Handoff.systemCallsAfterSetUp, otherwise: otherwise.action)
        let text =
            switch json ? .json : format {
            case .text: filter.table
            case .json: filter.json.description + "\n"
            case .docker: filter.containerProfile.description + "\n"
            case .bpf: try listing(of: filter)
            }
        try Output.write(text)
    }

    private func listing(of filter: SystemCallFilter) throws -> String {
        guard let architecture = architecture ?? .current else {
            throw CommandFailure("the numbers of this processor's system calls are not known; choose one with --architecture")
        }
        var table = TextRows(.right("step"), .left("code"), .right("true"), .right("false"), .left("constant"), .left("meaning"))
        table.rows = filter.program(for: architecture).enumerated().map { number, step in
            [
                "\(number)", hexadecimal(UInt64(step.code), digits: 2), "\(step.skipIfTrue)", "\(step.skipIfFalse)",
                hexadecimal(UInt64(step.constant), digits: 8), step.meaning,
            ]
        }
        return table.text()
    }
}

private func hexadecimal(_ number: UInt64, digits: Int) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
}

@Sendable
private func parseArchitecture(_ text: String) throws -> SystemCallFilter.Architecture {
    guard let found = SystemCallFilter.Architecture(rawValue: text) else {
        throw ArgumentProblem("a processor is one of \(SystemCallFilter.Architecture.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return found
}
