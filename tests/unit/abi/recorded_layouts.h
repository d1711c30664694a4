// fixtures/xen-abi/shared-layouts.txt: where a 32-bit compiler puts the fields of structs, by the struct's name.
#pragma once

#include <cstddef>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

namespace xenrig::test {

struct RecordedField {
    std::size_t offset = 0, bytes = 0;
    friend bool operator==(const RecordedField&, const RecordedField&) = default;
};

struct RecordedStruct {
    std::size_t size = 0;
    std::map<std::string, RecordedField> fields;
};

inline std::map<std::string, RecordedStruct> recorded_layouts() {
    std::map<std::string, RecordedStruct> structs;
    std::ifstream in(XENRIG_SOURCE_DIR "/fixtures/xen-abi/shared-layouts.txt");
    RecordedStruct* now = nullptr;
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line);
        std::string name;
        words >> name;
        if (line.starts_with(' ')) {
            RecordedField& field = now->fields[name];
            words >> field.offset >> field.bytes;
        } else {
            now = &structs[name];
            words >> now->size;
        }
    }
    return structs;
}

}  // namespace xenrig::test
