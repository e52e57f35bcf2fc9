/// A number of `/proc/sys`, as the running kernel has it; nil without `/proc`.
func kernelLimit(_ name: String) -> Int? {
    readSmallFile("/proc/sys/\(name)").flatMap { Int(String(decoding: $0.prefix { $0 > UInt8(ascii: " ") }, as: UTF8.self)) }
}

/// The number, or the numbers, of `/proc/sys`, as the running kernel has them; nil without `/proc`.
package func kernelText(_ name: String) -> String? {
    guard let text = readSmallFile("/proc/sys/\(name)") else { return nil }
    return String(decoding: text, as: UTF8.self).split(whereSeparator: \.isWhitespace).joined(separator: " ")
}

/// A limit of this process, by its name in `/proc/self/limits`: what it is, or "unlimited"; nil without `/proc`.
package func processLimit(_ name: String) -> String? {
    guard let text = readSmallFile("/proc/self/limits") else { return nil }
    let line = String(decoding: text, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix(name + " ") }
    return line?.dropFirst(name.count).split(separator: " ").first.map(String.init)
}
