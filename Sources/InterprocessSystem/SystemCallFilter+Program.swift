import SystemPackage

extension SystemCallFilter {
    /// One instruction of the program that the kernel runs at each system call: classic BPF.
    public struct Instruction: Sendable, Hashable {
        public let code: UInt16
        public let skipIfTrue: UInt8
        public let skipIfFalse: UInt8
        public let constant: UInt32
        /// For people.
        public let meaning: String
    }

    /// The filter as the kernel takes it: the architecture, the x32 numbers, then one rule after the other. O(rules) instructions.
    ///
    /// The numbers of another architecture mean other calls, so a call by its way (32-bit code, `int 0x80`) ends the process whatever
    /// ``otherwise`` is; so does one by the numbers of x32, which the kernel takes for those of x86-64 with a bit more.
    public func program(for architecture: Architecture) -> [Instruction] {
        var program: [Instruction] = [
            .load(Self.architectureField, "architecture"),
            .skip(.equal, architecture.auditValue, ifTrue: 1, architecture.rawValue),
            .answer(.killProcess),
            .load(Self.numberField, "number of the call"),
        ]
        if architecture == .amd64 {
            program.append(.skip(.atLeast, Self.x32Bit, ifFalse: 1, "x32"))
            program.append(.answer(.killProcess))
        }
        for rule in rules { program += steps(of: rule, architecture) }
        program.append(.answer(otherwise))
        return program
    }

    private func steps(of rule: Rule, _ architecture: Architecture) -> [Instruction] {
        var answer: [Instruction] = [.answer(rule.action)]
        // Backwards: a condition that is not met skips what comes after it, up to the answer for all other calls.
        if !rule.conditions.isEmpty { answer.append(.answer(otherwise)) }
        for condition in rule.conditions.reversed() {
            let lower = Self.argumentsField + UInt32(condition.argument) * 8
            let test: [Instruction] = [
                .load(lower, "argument \(condition.argument)"),
                .and(condition.mask),
                .skip(.equal, condition.value, ifFalse: UInt8(answer.count - 1), condition.meaning),
            ]
            answer = test + answer
        }
        return [Instruction.skip(.equal, rule.call.number(on: architecture), ifFalse: UInt8(answer.count), rule.call.name)] + answer
    }

    // Offsets in `struct seccomp_data`; each argument has 64 bits, the lower ones first on both architectures.
    private static let numberField: UInt32 = 0
    private static let architectureField: UInt32 = 4
    private static let argumentsField: UInt32 = 16
    private static let x32Bit: UInt32 = 0x4000_0000
}

extension SystemCallFilter.Instruction {
    fileprivate enum Comparison: UInt16 { case equal = 0x15, atLeast = 0x35 }

    fileprivate static func load(_ offset: UInt32, _ field: String) -> Self {
        Self(code: 0x20, skipIfTrue: 0, skipIfFalse: 0, constant: offset, meaning: "A = \(field)")
    }

    fileprivate static func and(_ mask: UInt32) -> Self {
        Self(code: 0x54, skipIfTrue: 0, skipIfFalse: 0, constant: mask, meaning: "A &= 0x\(String(mask, radix: 16))")
    }

    fileprivate static func skip(
        _ comparison: Comparison, _ value: UInt32, ifTrue: UInt8 = 0, ifFalse: UInt8 = 0, _ what: String
    ) -> Self {
        let test = "A \(comparison == .equal ? "==" : ">=") 0x\(String(value, radix: 16)) (\(what))"
        return Self(
            code: comparison.rawValue, skipIfTrue: ifTrue, skipIfFalse: ifFalse, constant: value,
            meaning: ifTrue > 0 ? "if \(test) skip \(ifTrue)" : "unless \(test) skip \(ifFalse)")
    }

    fileprivate static func answer(_ action: SystemCallFilter.Action) -> Self {
        Self(code: 0x06, skipIfTrue: 0, skipIfFalse: 0, constant: action.answer, meaning: "\(action)")
    }
}

extension SystemCallFilter.Action: CustomStringConvertible {
    /// `SECCOMP_RET_ALLOW`, `SECCOMP_RET_ERRNO` with the error, `SECCOMP_RET_KILL_PROCESS`.
    var answer: UInt32 {
        switch self {
        case .allow: 0x7fff_0000
        case .refuse(let error): 0x0005_0000 | UInt32(error.rawValue) & 0xffff
        case .killProcess: 0x8000_0000
        }
    }

    public var description: String {
        switch self {
        case .allow: "allow"
        case .refuse(let error): "refuse (\(error))"
        case .killProcess: "kill the process"
        }
    }
}
