/// A number of `/proc/sys`, as the running kernel has it; nil without `/proc`.
func kernelLimit(_ name: String) -> Int? {
    readSmallFile("/proc/sys/\(name)").flatMap { Int(String(decoding: $0.prefix { $0 > UInt8(ascii: " ") }, as: UTF8.self)) }
}
