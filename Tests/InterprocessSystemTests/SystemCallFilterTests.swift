import CTestSystem
import InterprocessSystem
import SystemPackage
import Testing

@Suite("Filter of system calls")
struct SystemCallFilterTests {
    typealias Filter = SystemCallFilter

    @Test("H7 the numbers of the calls are the kernel's, of this processor and of aarch64", arguments: Filter.Call.known)
    func numbers(call: Filter.Call) throws {
        let here = try #require(Filter.Architecture.current)
        #expect(unsafe test_system_call_number(call.name) == Int(call.number(on: here)))
        #expect(unsafe test_generic_system_call_number(call.name) == Int(call.number(on: .aarch64)))
    }

    /// Runs a program as the kernel would, for calls that this processor cannot make.
    private func answer(
        _ filter: Filter, _ architecture: Filter.Architecture, audit: UInt32? = nil, number: UInt32, arguments: [UInt64] = []
    ) throws -> UInt32 {
        let auditValue = audit ?? (architecture == .amd64 ? 0xc000_003e : 0xc000_00b7)
        let padded = arguments + [UInt64](repeating: 0, count: 6 - arguments.count)
        // struct seccomp_data: number, architecture, instruction pointer, arguments.
        var data = [number, auditValue, 0, 0]
        for argument in padded { data += [UInt32(truncatingIfNeeded: argument), UInt32(argument >> 32)] }
        let program = filter.program(for: architecture)
        var accumulator: UInt32 = 0
        var step = 0
        while true {
            let it = try #require(program.indices.contains(step) ? program[step] : nil, "the program runs out of its end")
            step += 1
            switch it.code {
            case 0x20: accumulator = data[Int(it.constant) / 4]
            case 0x54: accumulator &= it.constant
            case 0x15: step += Int(accumulator == it.constant ? it.skipIfTrue : it.skipIfFalse)
            case 0x35: step += Int(accumulator >= it.constant ? it.skipIfTrue : it.skipIfFalse)
            case 0x06: return it.constant
            default: throw Errno.invalidArgument
            }
        }
    }

    private static let killed: UInt32 = 0x8000_0000, allowed: UInt32 = 0x7fff_0000, refused: UInt32 = 0x0005_0000

    @Test(
        "H7 each call is answered by its rule, every other as is chosen; other architectures and x32 kill",
        arguments: Filter.Architecture.allCases)
    func answers(architecture: Filter.Architecture) throws {
        let plain = Filter.Condition(argument: 2, mask: 4, is: 0, meaning: "a")
        let marked = Filter.Condition(argument: 3, mask: 0x30, is: 0x20, meaning: "b")
        let filter = Filter(
            [
                .init(.futex, because: ""), .init(.mmap, only: [plain, marked], because: ""), .init(.fcntl, .refuse(.noEntry), because: ""),
                .init(.mprotect, only: [plain], because: ""),
            ], otherwise: .refuse(.notPermitted))
        func answer(_ call: Filter.Call, _ arguments: UInt64...) throws -> UInt32 {
            try self.answer(filter, architecture, number: call.number(on: architecture), arguments: arguments)
        }
        #expect(try answer(.futex, 1, 2, 3) == Self.allowed)
        #expect(try answer(.fcntl) == Self.refused | 2)
        #expect(try answer(.write) == Self.refused | 1)
        // Of the upper half of an argument nothing is asked.
        #expect(try answer(.mmap, 0, 0, 3 | 1 << 34, 0x22) == Self.allowed)
        for (protection, flags) in [(7, 0x22), (3, 0x02), (3, 0x32), (4, 0)] as [(UInt64, UInt64)] {
            #expect(try answer(.mmap, 0, 0, protection, flags) == Self.refused | 1, "\(protection) \(flags)")
        }
        #expect(try answer(.mprotect, 0, 0, 3) == Self.allowed)
        #expect(try answer(.mprotect, 0, 0, 5) == Self.refused | 1)
        // i386 and arm.
        for other in [0x4000_0003, 0x4000_0028] as [UInt32] {
            #expect(try self.answer(filter, architecture, audit: other, number: Filter.Call.futex.number(on: architecture)) == Self.killed)
        }
        let x32 = try self.answer(filter, architecture, number: 0x4000_0000 | Filter.Call.futex.number(on: architecture))
        #expect(x32 == (architecture == .amd64 ? Self.killed : Self.refused | 1))
    }

    @Test("of a process that is not there nothing is known")
    func status() { #expect(SystemCallFilter.isInstalled(inProcess: .max) == nil) }
}

extension Errno {
    fileprivate static let noEntry = Errno.noSuchFileOrDirectory
}
