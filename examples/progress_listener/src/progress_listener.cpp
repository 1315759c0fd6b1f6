// Copyright 2026 The topreward_ros authors
// SPDX-License-Identifier: Apache-2.0

// Prints one line for each message on /topreward/progress, until interrupted.
//
// Uses rcl, the C library on which rclcpp and rclpy are built, so that it compiles where either of
// them is installed. With rclcpp, everything except print() is one call of create_subscription().

#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "rcl/error_handling.h"
#include "rcl/rcl.h"
#include "rosidl_typesupport_cpp/message_type_support.hpp"
#include "topreward_ros/msg/progress.hpp"

using topreward_ros::msg::Progress;

namespace
{

volatile std::sig_atomic_t interrupted = 0;

void check(rcl_ret_t result)
{
  if (result != RCL_RET_OK) {
    std::fprintf(stderr, "progress_listener: %s\n", rcl_get_error_string().str);
    std::exit(EXIT_FAILURE);
  }
}

void print(const Progress & message)
{
  std::printf(
    "episode %u, %u frames: progress %.3f, reward %+.3f, ",
    message.episode, message.frames, message.progress, message.reward);
  if (!std::isnan(message.log_prob)) {
    std::printf("log P(True) %.3f, ", message.log_prob);
  } else if (!std::isnan(message.success)) {  // a reward model that has no log-probabilities
    std::printf("success %.3f, ", message.success);
  }
  std::printf("%.2f s late: %s\n", message.latency, message.task.c_str());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char ** argv)
{
  const rcl_allocator_t allocator = rcl_get_default_allocator();

  rcl_init_options_t init_options = rcl_get_zero_initialized_init_options();
  check(rcl_init_options_init(&init_options, allocator));
  rcl_context_t context = rcl_get_zero_initialized_context();
  check(rcl_init(argc, argv, &init_options, &context));
  std::signal(SIGINT, [](int) {interrupted = 1;});
  std::signal(SIGTERM, [](int) {interrupted = 1;});

  rcl_node_t node = rcl_get_zero_initialized_node();
  const rcl_node_options_t node_options = rcl_node_get_default_options();
  check(rcl_node_init(&node, "progress_listener", "", &context, &node_options));

  rcl_subscription_t subscription = rcl_get_zero_initialized_subscription();
  rcl_subscription_options_t subscription_options = rcl_subscription_get_default_options();
  subscription_options.qos.depth = 10;  // reliable, as the publisher is
  check(rcl_subscription_init(
    &subscription, &node, rosidl_typesupport_cpp::get_message_type_support_handle<Progress>(),
    "topreward/progress", &subscription_options));

  rcl_wait_set_t wait_set = rcl_get_zero_initialized_wait_set();
  check(rcl_wait_set_init(&wait_set, 1, 0, 0, 0, 0, 0, &context, allocator));
  while (!interrupted) {
    check(rcl_wait_set_clear(&wait_set));
    check(rcl_wait_set_add_subscription(&wait_set, &subscription, nullptr));
    if (rcl_wait(&wait_set, RCL_MS_TO_NS(100)) == RCL_RET_TIMEOUT) {
      continue;
    }
    Progress message;
    if (rcl_take(&subscription, &message, nullptr, nullptr) == RCL_RET_OK) {
      print(message);
    }
  }

  check(rcl_wait_set_fini(&wait_set));
  check(rcl_subscription_fini(&subscription, &node));
  check(rcl_node_fini(&node));
  check(rcl_shutdown(&context));
  check(rcl_context_fini(&context));
  check(rcl_init_options_fini(&init_options));
  return EXIT_SUCCESS;
}
